"""The policy: what follows from an event, as a pure function from the event to commands and timers.

A process manager is a policy with state. Ours keeps it where all state is kept: in a stream of its
own, which a decider folds. So the policy turns others' events into commands to that decider, and
the decider's events into commands to others; both are pure, and each step stands in the log.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.kernel.decider import Decider
from app.kernel.event import Event

E = TypeVar("E", bound=Event)
C = TypeVar("C")

MAX_TIMER_KEY_CHARACTERS = 300
MAX_CHAIN = 16
"""How many reactions may follow from one another, before what follows is cut off."""


@dataclass(frozen=True)
class Happened(Generic[E]):
    """An event, and what a policy may know of it besides."""

    event: E
    thing_id: str
    """Of the stream: ``42`` of ``order-42``."""
    customer_id: str | None
    at: datetime
    """When it was recorded, by the store's clock."""
    event_id: UUID


@dataclass(frozen=True)
class Send(Generic[C]):
    """A command for a stream. What it refuses is noted, and nothing follows from it."""

    decider: Decider[C, Any]
    thing_id: str
    command: C
    customer_id: str | None = None
    """Whose timeline its events stand on; None: as the decider knows (`Decider.customer_of`)."""


@dataclass(frozen=True)
class SetTimer:
    """A command for later; the key's timer, if there is one, is moved.

    The command is one of those that the decider declares (`Decider.commands`).
    """

    key: str
    """Of all timers, such as ``payment-timeout:order-42``."""
    due_at: datetime
    send: Send[Any]


@dataclass(frozen=True)
class CancelTimer:
    """No command for later; nothing when there is no such timer (any more)."""

    key: str


Effect = Send[Any] | SetTimer | CancelTimer


@dataclass(frozen=True)
class Policy:
    """What follows from events of some types. It reads no clock, and does no I/O."""

    name: str
    """Of up to 40 of a-z, 0-9 and -; stands in the metadata of what follows."""
    reactions: Mapping[type[Event], Callable[[Happened[Any]], Iterable[Effect]]]

    def effects_of(self, happened: Happened[Any]) -> list[Effect]:
        """What follows from an event, in order; nothing from one of another type."""
        react = self.reactions.get(type(happened.event))
        return list(react(happened)) if react else []
