"""One call commits all that a step of reactions comes to (`sql/commit_reactions.sql`).

Crash semantics: before that call nothing has happened, and after it everything has. Whoever dies in
between leaves the checkpoint and the timers as they were, and whoever comes next decides anew. When
the connection is lost so that nobody knows, the checkpoint tells: it is read before each step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from app.eventstore.batch import Checkpoint, Span
from app.eventstore.database import Connection

_CALL = """
CALL commit_reactions(
    %(consumer)s, %(shard)s, %(after)s, %(upto)s, %(row_version)s::xid,
    %(fired)s::jsonb, %(timers)s::jsonb, %(cancelled)s, %(request)s::jsonb
)
"""
_RECORD = """
SELECT record_reactions(
    %(fired)s::jsonb, %(timers)s::jsonb, %(cancelled)s::text[], %(request)s::jsonb
)
"""
_FASTER = "TD001"
_REFUSED = "TD002"
_encoder = msgspec.json.Encoder()


class Fired(Struct, frozen=True):
    """A timer that fires, as it was when it was looked at."""

    key: str
    set_by: UUID


class NewTimer(Struct, frozen=True):
    """A row of the table `timers`."""

    key: str
    due_at: Any
    category: str
    thing_id: str
    customer_id: str | None
    command: Any
    metadata: Any
    set_by: UUID


class Outcome(NamedTuple):
    """What is committed together."""

    request: bytes | None = None
    fired: Sequence[Fired] = ()
    timers: Sequence[NewTimer] = ()
    cancelled: Sequence[str] = ()


class _Refusal(Struct, frozen=True):
    event_id: UUID
    position: int | None = None
    """Where the event stands, if it is recorded already."""


_refusals = msgspec.json.Decoder(list[_Refusal])


class LostRace(Exception):
    """Somebody else was faster: nothing was done, and what was decided may be out of date."""

    def __init__(self, done: Sequence[UUID] = ()) -> None:
        """Take the ids of those of the events that are recorded already."""
        super().__init__()
        self.done = done


async def commit(
    connection: Connection,
    outcome: Outcome,
    *,
    checkpoint: Checkpoint | None = None,
    span: Span | None = None,
) -> None:
    """Commit, with the checkpoint moved over the span. Raises `LostRace` or `psycopg.Error`.

    The connection is in no transaction. After `LostRace` it is as good as before.
    """
    values = {
        "consumer": checkpoint.consumer if checkpoint else None,
        "shard": checkpoint.shard if checkpoint else None,
        "after": span.after if span else None,
        "upto": span.upto if span else None,
        "row_version": span.row_version if span else None,
    }
    with races():
        await connection.execute(_CALL, values | _values(outcome))


async def record(connection: Connection, outcome: Outcome) -> None:
    """Record in the open transaction, which holds the log's lock from then on: end it at once.

    Raises as `commit` does, upon which the transaction, or what was saved of it, is to be left.
    """
    with races():
        await connection.execute(_RECORD, _values(outcome))


def _values(outcome: Outcome) -> dict[str, Any]:
    return {
        "fired": _encoder.encode(outcome.fired).decode() if outcome.fired else None,
        "timers": _encoder.encode(outcome.timers).decode() if outcome.timers else None,
        "cancelled": list(outcome.cancelled),
        "request": outcome.request.decode() if outcome.request else None,
    }


@contextmanager
def races() -> Iterator[None]:
    """Tell races that are lost from what else may go wrong."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == _FASTER:
            raise LostRace from error
        if error.sqlstate == _REFUSED:
            refusals = _refusals.decode(error.diag.message_detail or "[]")
            raise LostRace([r.event_id for r in refusals if r.position is not None]) from error
        raise
