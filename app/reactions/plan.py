"""What policies want to follow from events, before anything is decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from app.eventstore.codec import Codec
from app.kernel.decider import Decider
from app.kernel.event import RecordedEvent
from app.kernel.policy import CancelTimer, Happened, Policy, Send, SetTimer
from app.reactions.causes import Cause, Caused, cause_of


class Planned(NamedTuple):
    """A timer that is set."""

    cause: Cause
    ordinal: int
    timer: SetTimer
    customer_id: str | None
    """Of the event that sets it."""
    wait: timedelta
    """From that event until it is due."""


@dataclass
class Plan:
    """What policies want to follow from events, before it is decided on."""

    commands: list[Caused] = field(default_factory=list)
    timers: dict[str, Planned | None] = field(default_factory=dict)
    """By their keys, each as it is wanted last; None: cancelled."""


class Policies:
    """Knows what each type of event is to its policies."""

    def __init__(
        self, policies: Sequence[Policy], deciders: Iterable[Decider[Any, Any]], codec: Codec
    ) -> None:
        """`LookupError` when a policy reacts to a type that no decider makes."""
        self._policies = policies
        self._codec = codec
        self._categories = {
            event_type.tag: decider.category
            for decider in deciders
            for event_type in decider.events
        }
        self.types = sorted({kind.tag for policy in policies for kind in policy.reactions})
        """The tags of the events that anything follows from."""
        if unknown := set(self.types) - self._categories.keys():
            raise LookupError(f"no decider makes {sorted(unknown)}")

    def plan(self, events: Iterable[RecordedEvent]) -> Plan:
        """What is to follow from events, in order."""
        plan = Plan()
        for recorded in events:
            event = self._codec.decode(recorded)
            thing_id = recorded.stream.removeprefix(f"{self._categories[recorded.type]}-")
            happened = Happened(
                event, thing_id, recorded.customer_id, recorded.recorded_at, recorded.event_id
            )
            for policy in self._policies:
                if type(event) in policy.reactions:
                    _add(plan, cause_of(policy.name, recorded), policy, happened)
        return plan


def _add(plan: Plan, cause: Cause, policy: Policy, happened: Happened[Any]) -> None:
    for ordinal, effect in enumerate(policy.effects_of(happened)):
        match effect:
            case Send():
                plan.commands.append(Caused(cause, ordinal, effect))
            case SetTimer():
                wait = effect.due_at - happened.at
                planned = Planned(cause, ordinal, effect, happened.customer_id, wait)
                plan.timers[effect.key] = planned
            case CancelTimer():
                plan.timers[effect.key] = None
