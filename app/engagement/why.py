"""Why something happened, and why not: from the log, when somebody asks.

Why: the events that led to one, back to the first command. Why not: the customer's past played
again (`app.engagement.replay`), with a note of each time that the rule might have begun. One
customer does not show what all together come to: where a decision is recorded, that is what counts;
of others, mass limits and an offer's total say less than was so.
"""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from app.engagement.course import Decided
from app.engagement.decision import DECISION
from app.engagement.events import DecisionMade
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import Facts
from app.engagement.history import RULE_TYPES, changes_between
from app.engagement.instances import GOAL, PATTERN
from app.engagement.noted import noted
from app.engagement.profiles import PROFILE_TYPES, nobody
from app.engagement.replay import Replay, name_of
from app.engagement.rulebook import RuleBook, Version
from app.engagement.state import Instance, SeenEvent
from app.engagement.telling import Attempt, Begun, NotedDecision, Reason, explained, missing
from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.cipher import View
from app.kernel.errors import NotFound, Refused, first_line
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.ids import stream_name
from app.kernel.policy import MAX_CHAIN
from app.modules.customers.decider import CUSTOMER
from app.modules.suppressions.decider import SUPPRESSION

MAX_LINKS = 2 * MAX_CHAIN
"""Of a chain: what waited long begins a new one, and decisions stand between."""
MAX_NOTES = 20
"""Of what might have begun, and of decisions: the last ones."""
MAX_RECORDED = 1_000
"""Of decisions that are looked up among those that were recorded: the last ones."""
MAX_EVENTS = 100_000
"""That are evaluated anew, with those of rules: up to the time that is asked for."""
MAX_PROFILE_EVENTS = 10_000
"""Of each of the customer's own streams; they are held meanwhile."""
PAGE_EVENTS = 200
"""Evaluated while others wait."""

_DECISION = f"{DECISION.category}-"
_metadata = msgspec.json.Decoder(Metadata)


class PastTooLong(Refused):
    """More has happened to the customer than is evaluated anew while somebody waits."""


class Link(Struct, frozen=True):
    """An event of a chain of causes."""

    event: RecordedEvent
    actor: str | None
    """Who, or what, recorded it: ``key:…``, ``rule:…``, ``policy:…``."""


class Why(Struct, frozen=True):
    """How it came to an event."""

    chain: Sequence[Link]
    """The event itself, what it followed from, and so on, to what began it."""
    request_id: Annotated[str | None, Meta(examples=["req-7"])]
    """The request by which it began."""
    correlation_id: str | None
    is_whole: bool
    """Whether the chain goes back to its begin; false where it is too long, or an event is gone."""


class WhyNot(Struct, frozen=True):
    """What a rule made of a customer's past."""

    reason: Reason
    explanation: Annotated[str, Meta(examples=["the condition of the trigger did not hold"])]
    status: Annotated[str, Meta(examples=["live"])]
    """Of the rule then: ``draft``, ``live``, ``paused`` or ``retired``."""
    rule_version: int | None
    """That begins for the customer; null: none."""
    at: datetime
    attempts: Sequence[Attempt]
    """The last events of the trigger's type while it was live, oldest first."""
    begun: Sequence[Begun]
    decisions: Sequence[NotedDecision]
    """The last ones, oldest first."""


class Explaining:
    """Explains what is recorded in a store."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take the log."""
        self._store = store
        self._codec = codec

    async def why(self, event_id: UUID, view: View) -> Why:
        """The events that led to this one, as the view has them.

        Raises `NotFound` and `StoreUnavailable`.
        """
        event = await self._store.find(event_id)
        if event is None:
            raise NotFound(f"there is no event {str(event_id)!r}")
        chain, seen = [event], {event.event_id}
        cause = _cause(event)
        while cause is not None and len(chain) < MAX_LINKS and cause not in seen:
            before = await self._store.find(cause)
            if before is None:
                break
            chain.append(before)
            seen.add(cause)
            cause = _cause(before)
        first = _metadata.decode(chain[-1].metadata)
        data = await view([(each.customer_id, each.data) for each in chain])
        links = [
            Link(msgspec.structs.replace(each, data=shown), _metadata.decode(each.metadata).actor)
            for each, shown in zip(chain, data, strict=True)
        ]
        return Why(links, first.request_id, first.correlation_id, cause is None)

    async def why_not(
        self, name: str, customer_id: str, view: View, at: datetime | None = None
    ) -> WhyNot:
        """What the rule made of the customer's past, up to a time; without one, up to now.

        Raises `NotFound` for a rule that there was not, `PastTooLong` and `StoreUnavailable`.
        """
        now = await self._store.now()
        story = _Story(name, customer_id, self._codec)
        until = now if at is None else min(at, now)
        events = 0
        async for recorded in self._past(customer_id, until):
            if recorded.recorded_at > until:
                break
            events += 1
            if events > MAX_EVENTS:
                raise PastTooLong
            story.take(recorded)
        return await story.told(until, view)

    async def _past(self, customer_id: str, until: datetime) -> AsyncIterator[RecordedEvent]:
        """The changes of all rules and of the profile, and the customer's events among them."""
        head = await self._store.head()
        changes = await changes_between(self._store, 0, head)
        for decider in (CUSTOMER, SUPPRESSION):
            changes += await self._stream(stream_name(decider.category, customer_id), until)
        waiting = deque(sorted(changes, key=lambda each: each.position))
        after = 0
        while page := await self._store.read_log(
            after=after, limit=PAGE_EVENTS, customer_ids=[customer_id]
        ):
            for recorded in page:
                while waiting and waiting[0].position < recorded.position:
                    yield waiting.popleft()
                if recorded.position <= head and recorded.type not in PROFILE_TYPES:
                    yield recorded
            after = page[-1].position
        for change in waiting:
            yield change

    async def _stream(self, stream: str, until: datetime) -> list[RecordedEvent]:
        """A stream of the profile, up to a time."""
        found: list[RecordedEvent] = []
        version = 0
        while page := await self._store.read_stream(
            stream, after_version=version, limit=PAGE_EVENTS
        ):
            found += (each for each in page if each.recorded_at <= until)
            if len(found) > MAX_PROFILE_EVENTS:
                raise PastTooLong
            if page[-1].recorded_at > until:
                break
            version = page[-1].version
        return found


class _Story:
    """A customer's past, as far as a rule is concerned."""

    def __init__(self, name: str, customer_id: str, codec: Codec) -> None:
        self._name, self._customer_id, self._codec = name, customer_id, codec
        self._replay = Replay(codec, 1)
        self._replay.begin({customer_id: nobody(customer_id)}, {})
        [self._trial] = self._replay.trials
        self._attempts: deque[Attempt] = deque(maxlen=MAX_NOTES)
        self._decided: deque[Decided] = deque(maxlen=MAX_NOTES)
        self._recorded: dict[str, tuple[UUID, DecisionMade]] = {}
        self._is_known = False

    def take(self, recorded: RecordedEvent) -> None:
        if recorded.type in RULE_TYPES:
            event = self._codec.decode(recorded)
            self._trial.change(name_of(recorded.stream), event, recorded.recorded_at)
        elif recorded.stream.startswith(_DECISION):
            self._note_recorded(recorded)
        else:
            self._is_known = True
            version = self._live()
            seen = self._replay.take(recorded)
            if seen is not None and version is not None:
                self._note_attempt(version, seen)
        self._note_decided()

    async def told(self, until: datetime, view: View) -> WhyNot:
        self._trial.until(until)
        self._note_decided()
        status = self._trial.book.states().get(self._name)
        if status is None:
            raise NotFound(f"there was no rule {self._name!r} then")
        version = self._live()
        begun = [
            _begun(each, self._trial.book)
            for each in self._trial.state(self._customer_id).instances
            if each.rule == self._name
        ]
        decisions = [self._decision(each) for each in self._decided]
        attempts = await self._shown(view)
        reason = self._reason(version, attempts, begun, decisions)
        return WhyNot(
            reason=reason,
            explanation=explained(reason, status, attempts, begun, decisions),
            status=status,
            rule_version=version.number if version else None,
            at=until,
            attempts=attempts,
            begun=begun,
            decisions=decisions,
        )

    def _live(self) -> Version | None:
        return self._trial.book.version_for(self._name, self._customer_id)

    def _note_recorded(self, recorded: RecordedEvent) -> None:
        made = self._codec.decode(recorded)
        if isinstance(made, DecisionMade) and made.rule == self._name:
            self._recorded[recorded.stream.removeprefix(_DECISION)] = (recorded.event_id, made)
            if len(self._recorded) > MAX_RECORDED:
                del self._recorded[next(iter(self._recorded))]

    def _note_attempt(self, version: Version, event: SeenEvent) -> None:
        """What the trigger's condition made of an event."""
        if version.rule.trigger.event != event.type:
            return
        condition = version.compiled.expressions.get("trigger.where")
        held: bool | None = True
        saw: Mapping[str, Any] = {}
        error = ""
        if condition is not None:
            facts = Facts(self._replay.cast.profile(self._customer_id), event)
            saw = noted(condition.names, facts)
            try:
                held = bool(condition.evaluate(facts))
            except CannotEvaluate as failure:
                held, error = None, first_line(failure)
        raw = Raw(msgspec.json.encode(saw))
        self._attempts.append(
            Attempt(event.event_id, event.position, event.at, version.number, held, raw, error)
        )

    def _note_decided(self) -> None:
        self._decided += (
            each for each in self._trial.decided() if each.decision.made.rule == self._name
        )

    def _decision(self, decided: Decided) -> NotedDecision:
        """As it was recorded, if it was: with what all customers together came to."""
        known = self._recorded.get(str(decided.decision.id))
        event_id, made = known or (None, decided.decision.made)
        return NotedDecision(
            event_id, made.rule_version, made.at, made.step, made.outcome, made.held
        )

    async def _shown(self, view: View) -> list[Attempt]:
        seen = await view([(self._customer_id, each.saw) for each in self._attempts])
        return [
            msgspec.structs.replace(each, saw=saw)
            for each, saw in zip(self._attempts, seen, strict=True)
        ]

    def _reason(
        self,
        version: Version | None,
        attempts: Sequence[Attempt],
        begun: Sequence[Begun],
        decisions: Sequence[NotedDecision],
    ) -> Reason:
        """Of the last thing that happened; what stands first here counts."""
        is_known = self._is_known and not self._replay.cast.profile(self._customer_id).is_erased
        last = attempts[-1].at if attempts else None
        found = {
            Reason.NO_CUSTOMER: not is_known,
            Reason.PATTERN: any(each.place == PATTERN for each in begun),
            Reason.WAITING: any(each.place != GOAL for each in begun),
            Reason.CONDITION: bool(attempts) and not attempts[-1].held,
            Reason.DECIDED: bool(decisions) and (last is None or decisions[-1].at >= last),
        }
        otherwise = Reason.NOT_LIVE if version is None else Reason.NO_TRIGGER
        otherwise = Reason.PATTERN if attempts else otherwise
        return next((reason for reason, is_it in found.items() if is_it), otherwise)


def _cause(event: RecordedEvent) -> UUID | None:
    """The event that it followed from, if it is known as one."""
    cause = _metadata.decode(event.metadata).causation_id
    try:
        return UUID(cause) if cause else None
    except ValueError:
        return None


def _begun(instance: Instance, book: RuleBook) -> Begun:
    return Begun(
        instance.version,
        instance.key,
        instance.place,
        instance.began_at,
        instance.due_at,
        missing(instance, book.version(instance.rule, instance.version)),
    )
