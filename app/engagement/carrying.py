"""What decisions ask for, as commands and events to record; each says what it follows from."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from msgspec import Raw, Struct

from app.engagement.commands import CALLABLE, Caller
from app.engagement.course import Decided
from app.engagement.decision import DECISION, NoteDecision
from app.engagement.effects import (
    CommandEffect,
    Decision,
    Effect,
    MessageEffect,
    OfferEffect,
    RecordEffect,
)
from app.engagement.rule import Priority as RulePriority
from app.eventstore.codec import encode_metadata
from app.kernel.decider import Decider
from app.kernel.errors import InvalidInput, Refused
from app.kernel.event import ACTIVITY, Metadata, NewEvent
from app.kernel.ids import stream_name
from app.kernel.policy import MAX_CHAIN, Send
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.messages.events import Priority
from app.modules.offers.decider import OFFER, IssueOffer
from app.reactions.causes import Cause, Caused, Note
from app.reactions.decisions import NEW_CHAIN_AFTER

_PRIORITIES = {
    RulePriority.CRITICAL.value: Priority.HIGH,
    RulePriority.NORMAL.value: Priority.NORMAL,
    RulePriority.LOW.value: Priority.LOW,
}


class Before(Struct, frozen=True):
    """The event that a decision follows from."""

    metadata: Metadata
    recorded_at: datetime


class NotCallable(Refused):
    """The command does not take what the rule gave it."""


class _Misfit(Struct, frozen=True):
    """A call that no command came of."""

    detail: str


def _refuse(command: _Misfit, _state: None) -> NoReturn:
    raise NotCallable(command.detail)


_CALL: Decider[_Misfit, None] = Decider(
    category="call", initial=None, decide=_refuse, evolve=lambda state, _event: state, events=()
)


def category_of(command: str) -> str:
    """Of the streams of a command's things."""
    return CALLABLE[command].decider.category


class Carrying:
    """Makes commands of decisions."""

    def __init__(self, code_of: Callable[[str], str]) -> None:
        """`code_of` tells the code of an offer's id."""
        self._code_of = code_of

    def __call__(self, decided: Decided, before: Mapping[Any, Before]) -> Iterator[Caused | Note]:
        """The decision itself, then what is done; `before` by the ids of events."""
        customer_id, decision = decided
        cause = _cause_of(decision, before.get(decision.made.cause))
        noted = Caused(
            cause, 0, Send(DECISION, str(decision.id), NoteDecision(decision.made), customer_id)
        )
        yield noted
        if cause.depth > MAX_CHAIN:  # upon which the decision is refused, and nothing follows
            return
        metadata = msgspec.structs.replace(cause.metadata, causation_id=str(noted.event_id(0)))
        cause = Cause(cause.policy, cause.key, noted.event_id(0), metadata)
        for ordinal, effect in enumerate(decision.effects, 1):
            yield self._carried(customer_id, decision, effect, cause, ordinal)

    def _carried(
        self, customer_id: str, decision: Decision, effect: Effect, cause: Cause, ordinal: int
    ) -> Caused | Note:
        match effect:
            case RecordEffect():
                return _note(customer_id, effect, cause)
            case MessageEffect():
                send: Send[Any] = _message(customer_id, effect)
            case OfferEffect():
                send = self._offer(customer_id, effect)
            case CommandEffect():
                send = _call(customer_id, decision, effect)
        return Caused(cause, ordinal, send)

    def _offer(self, customer_id: str, effect: OfferEffect) -> Send[Any]:
        code = self._code_of(effect.offer_id)
        command = IssueOffer(customer_id, effect.offer, code, effect.expires_at)
        return Send(OFFER, effect.offer_id, command, customer_id)


def _cause_of(decision: Decision, before: Before | None) -> Cause:
    """What waited long begins a chain of its own, as with timers."""
    made, policy = decision.made, f"rule:{decision.made.rule}"
    said = before.metadata if before else Metadata()
    has_waited = before is not None and made.at - before.recorded_at >= NEW_CHAIN_AFTER
    metadata = Metadata(
        correlation_id=said.correlation_id or str(made.cause),
        causation_id=str(made.cause),
        actor=policy,
        request_id=said.request_id,
        depth=1 if has_waited else (said.depth or 0) + 1,
    )
    return Cause(policy, str(decision.id), made.cause, metadata)


def _note(customer_id: str, effect: RecordEffect, cause: Cause) -> Note:
    metadata = msgspec.structs.replace(cause.metadata, source=cause.policy)
    event = NewEvent(
        event_id=effect.event_id,
        type=effect.type,
        data=Raw(msgspec.json.encode(effect.data)),
        metadata=encode_metadata(metadata),
        customer_id=customer_id,
    )
    return Note(stream_name(ACTIVITY, customer_id), event)


def _message(customer_id: str, effect: MessageEffect) -> Send[Any]:
    command = RequestMessage(
        kind=effect.kind,
        text=effect.text,
        priority=_PRIORITIES[effect.priority],
        template=effect.template,
        parameters=effect.parameters,
        channels=effect.channels,
        not_before=effect.not_before,
    )
    return Send(MESSAGE, effect.message_id, command, customer_id)


def _call(customer_id: str, decision: Decision, effect: CommandEffect) -> Send[Any]:
    caller = Caller(decision.made.rule, customer_id, decision.made.at)
    try:
        return CALLABLE[effect.command].send(effect.thing_id, effect.fields, caller)
    except InvalidInput as error:
        return Send(_CALL, str(decision.id), _Misfit(str(error)), customer_id)
