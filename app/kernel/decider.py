"""The decider: a business rule as three pure parts (initial state, decide, evolve)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.kernel.event import Event

C = TypeVar("C")
S = TypeVar("S")


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

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after the events, from the initial one or a given one."""
        folded = self.initial if state is None else state
        for event in events:
            folded = self.evolve(folded, event)
        return folded
