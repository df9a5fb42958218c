"""Given some events, when a command comes, then these events follow: how deciders are specified.

    given(CUSTOMER, registered).when(ChangeTraits({"plan": "pro"})).then(
        CustomerTraitsChanged({"plan": "pro"})
    )
    given(CUSTOMER, registered).when(Register({})).then_refused(AlreadyRegistered)
    given(CUSTOMER, registered).when(ChangeTraits({})).then_nothing()

Every event passes through its wire form on the way, as it does through the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event

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
