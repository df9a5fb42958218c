"""A small business for tests of executing commands: counters that count, close and open."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from app.eventstore.codec import Codec
from app.eventstore.execute import IdempotencyKey, Step
from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event, EventCatalogue


class CounterIncremented(Event, frozen=True):
    tag: ClassVar[str] = "counter.incremented"
    title: ClassVar[str] = "Counted {by}"
    by: int


class CounterClosed(Event, frozen=True):
    tag: ClassVar[str] = "counter.closed"
    title: ClassVar[str] = "Closed"


class CounterOpened(Event, frozen=True):
    tag: ClassVar[str] = "counter.opened"
    title: ClassVar[str] = "Opened"


class Closed(Refused):
    """The counter is closed."""


class Increment(Struct, frozen=True):
    """Count; each unit is an event of its own."""

    by: int = 1


class RaiseTo(Struct, frozen=True):
    """Count up to a total, or do nothing when it has been reached."""

    total: int


class Close(Struct, frozen=True):
    """Close; nothing to do when it is closed."""


class Open(Struct, frozen=True):
    """Open; nothing to do when it is open."""


class Counter(Struct, frozen=True):
    total: int = 0
    is_open: bool = True


Command = Increment | RaiseTo | Close | Open


def decide(command: Command, counter: Counter) -> Sequence[Event]:
    match command:
        case Close():
            return [CounterClosed()] if counter.is_open else []
        case Open():
            return [] if counter.is_open else [CounterOpened()]
        case RaiseTo(total):
            return [CounterIncremented(total - counter.total)] if counter.total < total else []
        case Increment(by):
            if not counter.is_open:
                raise Closed
            return [CounterIncremented(1)] * by


def evolve(counter: Counter, event: Event) -> Counter:
    match event:
        case CounterIncremented(by):
            return Counter(counter.total + by, counter.is_open)
        case CounterClosed():
            return Counter(counter.total, is_open=False)
        case _:
            return Counter(counter.total, is_open=True)


counters: Decider[Command, Counter] = Decider(
    category="counter",
    initial=Counter(),
    decide=decide,
    evolve=evolve,
    events=(CounterIncremented, CounterClosed, CounterOpened),
)
codec = Codec(EventCatalogue(counters.events))


def step(command: Command, counter: str = "1") -> Step[Command]:
    """A command for a counter, on nobody's timeline."""
    return Step(counters, counter, command, None)


def a_key(key: str = "k", fingerprint: str = "f") -> IdempotencyKey:
    return IdempotencyKey("test", key, fingerprint)
