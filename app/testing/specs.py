"""Given some events, when a command comes, then these events follow: how deciders are specified.

    given(CUSTOMER, registered).when(ChangeTraits({"plan": "pro"})).then(
        CustomerTraitsChanged({"plan": "pro"})
    )
    given(CUSTOMER, registered).when(Register({})).then_refused(AlreadyRegistered)
    given(CUSTOMER, registered).when(ChangeTraits({})).then_nothing()

And when an event happens, then these commands and timers follow: how policies are.

    when(DEADLINES, opened, thing_id="q-1", customer_id="anna", at=MONDAY).then(
        SetTimer("first-response:q-1", MONDAY + HOUR, Send(QUESTION, "q-1", Escalate()))
    )

Every event passes through its wire form on the way, as it does through the store. How deciders,
policies and timers work together is played in `app.testing.world`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event
from app.kernel.policy import Effect, Happened, Policy, SetTimer

SOME_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday, in the morning."""

C = TypeVar("C")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Outcome:
    """What a decider made of a command: events, or a refusal."""

    events: Sequence[Event] = ()
    refusal: Refused | None = None

    def then(self, *expected: Event) -> None:
        """Exactly these events follow, in this order."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert list(self.events) == list(expected)

    def then_nothing(self) -> None:
        """There was nothing to do: no event, and no refusal either."""
        self.then()

    def then_refused(self, expected: type[Refused]) -> None:
        """A rule forbids the command; the refusal is of this very type."""
        assert self.refusal is not None, f"not refused, but {list(self.events)!r}"
        assert type(self.refusal) is expected, f"refused otherwise: {self.refusal!r}"


@dataclass(frozen=True)
class Given(Generic[C]):
    """A decider and what has happened so far."""

    decider: Decider[C, Any]
    history: Sequence[Event]

    def when(self, command: C) -> Outcome:
        """Let the decider decide on the command."""
        state = self.decider.fold(through_the_wire(self.decider, event) for event in self.history)
        try:
            decided = self.decider.decide(command, state)
        except Refused as refusal:
            return Outcome(refusal=refusal)
        return Outcome([through_the_wire(self.decider, event) for event in decided])


def given(decider: Decider[C, Any], *history: Event) -> Given[C]:
    """Start a specification: these events have happened, in this order."""
    return Given(decider, history)


def through_the_wire(decider: Decider[Any, Any], event: E) -> E:
    """The event as it comes back from a store; it is one that the decider declares."""
    assert type(event) in decider.events, f"{event.tag} is not among the decider's events"
    back = msgspec.json.decode(msgspec.json.encode(event), type=type(event))
    assert back == event, f"{event!r} comes back as {back!r}"
    return back


@dataclass(frozen=True)
class Followed:
    """What a policy made of an event."""

    effects: Sequence[Effect]

    def then(self, *expected: Effect) -> None:
        """Exactly these commands and timers follow, in this order."""
        assert list(self.effects) == list(expected)

    def then_nothing(self) -> None:
        """The event is of no consequence to the policy."""
        self.then()


def when(
    policy: Policy,
    event: Event,
    *,
    thing_id: str,
    customer_id: str | None = None,
    at: datetime = SOME_DAY,
) -> Followed:
    """Let the policy react to an event of a thing's stream. What it schedules can be stored."""
    happened = Happened(event, thing_id, customer_id, at, UUID(int=0))
    effects = policy.effects_of(happened)
    for effect in effects:
        if isinstance(effect, SetTimer):
            check_storable(effect)
    return Followed(effects)


def check_storable(timer: SetTimer) -> None:
    """The timer's command is one that its decider declares, and comes back from the store."""
    command, declared = timer.send.command, timer.send.decider.commands
    assert type(command) in declared, f"{command!r} is not among the decider's commands"
    assert type(command).__struct_config__.tag, f"{type(command).__name__} has no wire tag"
    back = msgspec.json.decode(msgspec.json.encode(command), type=type(command))
    assert back == command, f"{command!r} comes back as {back!r}"
