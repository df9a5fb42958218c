"""The decider: a business rule as three pure parts (initial state, decide, evolve)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.kernel.event import Event

C = TypeVar("C")
S = TypeVar("S")


def _nobody(_state: object) -> None:
    """Of a decider whose things are nobody's, or whose commands always say whose they are."""


@dataclass(frozen=True)
class Decider(Generic[C, S]):
    """How one category of streams decides commands into events and folds events into state.

    `decide` raises `Refused` when a rule forbids the command, and answers no events when there is
    nothing to do. Neither function reads a clock or does I/O: the time comes in with the command.
    """

    category: str
    initial: S
    decide: Callable[[C, S], Sequence[Event]]
    evolve: Callable[[S, Event], S]
    events: tuple[type[Event], ...]
    commands: tuple[type[Any], ...] = ()
    """Those that timers may bring: structs with a wire tag each, for they are stored meanwhile."""
    customer_of: Callable[[S], str | None] = _nobody
    """Whose a thing is, as its state says: of whom its events are when a command does not say."""

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after the events, from the initial one or a given one."""
        folded = self.initial if state is None else state
        for event in events:
            folded = self.evolve(folded, event)
        return folded
