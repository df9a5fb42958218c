"""What a story of a business is told in: commands, looks, and waits for time or for what follows.

A script is a pure generator. It is told what came of each step, and goes on from there; who plays
it sends the commands and lets the time pass. It decides by chance, by events that stay in the log
and by answers that a repeat gets again: so a story that is told again repeats itself.
"""

from collections.abc import Generator, Iterable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

SOON = timedelta(minutes=1)
"""What follows at once, by the reactor, has followed by then."""


class Post(NamedTuple):
    """A command. It may be refused for some reasons, that is part of the story."""

    path: str
    fields: Mapping[str, Any]
    refusals: frozenset[str]
    """Codes of problems: ``ride-taken``."""


class Together(NamedTuple):
    """Commands of several actors, sent at the same moment."""

    posts: tuple[Post, ...]


class Look(NamedTuple):
    """A query."""

    path: str


class Wait(NamedTuple):
    """Time passes."""

    time: timedelta


class Await(NamedTuple):
    """Until the log says that one of some things has happened, or that took too long."""

    stream: str
    types: frozenset[str]
    within: timedelta


Step = Together | Look | Wait | Await
Script = Generator[Step, Any, None]


def ask(path: str, *refusals: str, **fields: Any) -> Post:
    """A command to a thing: ``rides/7/claim``."""
    return Post(f"/v1/{path}", fields, frozenset(refusals))


def post(path: str, *refusals: str, **fields: Any) -> Generator[Step, Any, bool]:
    """Send a command; whether it was accepted."""
    (accepted,) = yield Together((ask(path, *refusals, **fields),))
    return bool(accepted)


def event(type_: str, customer_id: str, **data: Any) -> Generator[Step, Any, bool]:
    """Send an event of a service's own type."""
    return (yield from post("events", type=type_, customer_id=customer_id, data=data))


def together(posts: Iterable[Post]) -> Generator[Step, Any, list[bool]]:
    """Send commands at once; which were accepted."""
    accepted: list[bool] = yield Together(tuple(posts))
    return accepted


def awaited(stream: str, *types: str, within: timedelta = SOON) -> Generator[Step, Any, str | None]:
    """Wait for events of a stream; the type of the first that is one of these, if there is one."""
    seen: str | None = yield Await(stream, frozenset(types), within)
    return seen


def look(path: str) -> Generator[Step, Any, Any]:
    """Read what the API tells, as JSON; None where there is no such thing."""
    return (yield Look(f"/v1/{path}"))


def minutes(number: float) -> Wait:
    """Some minutes pass."""
    return Wait(timedelta(minutes=number))


def hours(number: float) -> Wait:
    """Some hours pass."""
    return Wait(timedelta(hours=number))
