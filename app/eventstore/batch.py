"""The next stretch of the log for a consumer: claimed, worked on, left behind in one transaction.

A session that is opened here has a relation named `batch`: the events of the range that the last
claim took, in today's shape, and none outside of a claim. Positions are dense and become visible in
order, so a range of positions is a batch: nothing can still appear below its end.

Crash semantics: work and checkpoint are committed together or not at all. A process, backend or
server that dies in the middle leaves the checkpoint where it was, and its row free: there is no
lease to run out, whoever comes next claims the same range again. A process that is merely stopped,
or cut off, holds the row for 30 s at most.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncCursor

from app.eventstore.database import Connection, Database, sql
from app.eventstore.doubt import failures_until_alone
from app.eventstore.upcasting import Upcaster, upcast_columns
from app.kernel.event import EventCatalogue

IDLE_IN_TRANSACTION_TIMEOUT = timedelta(seconds=30)

_PACKAGE = "app.eventstore"


class Span(NamedTuple):
    """A claimed range of positions."""

    after: int
    """Exclusive."""
    upto: int
    """Inclusive."""
    head: int
    """The end of the log when the range was claimed."""
    unknown: int | None
    """The event before which the range had to end, for this code does not know it."""
    row_version: str
    """Of the checkpoint's row: another one once anybody has changed it (PostgreSQL's ``xmin``)."""


class ShardKey(Enum):
    """What a consumer's order is kept by.

    Events of one key are worked on in order, by one worker at a time, and are parked together.
    """

    CUSTOMER = "coalesce(customer_id, stream)"
    STREAM = "stream"
    NONE = "position::text"
    """Each event by itself. Such a consumer has one shard, so that all are in order still."""


class Checkpoint(NamedTuple):
    """How far one consumer has come in one shard of its work: a row of the table `checkpoints`."""

    consumer: str
    shard: int = 0


class Locking(Enum):
    """How a claim locks the checkpoint."""

    OWN = "FOR UPDATE SKIP LOCKED"
    """Nobody else claims it meanwhile, and what others have is not waited for."""
    BESIDE_HOLDER = "FOR NO KEY UPDATE"
    """Although another transaction of the caller's holds it (`checkpoints.hold`): the strongest
    lock that it leaves to others. Nobody keeps it for long.
    """
    NONE = ""
    """Not at all: for a look."""


Work = Callable[[Connection], Awaitable[object]]
"""Works on the relation `batch`, in the transaction that claimed it."""


class Claim:
    """Claims a checkpoint's next batch, and advances the checkpoint over it."""

    def __init__(
        self, checkpoint: Checkpoint, catalogue: EventCatalogue, *, max_batch_events: int
    ) -> None:
        """Take whose batches, what this code knows, and how long a batch may be."""
        self.checkpoint = checkpoint
        self.max_batch_events = max_batch_events
        self._parameters = {
            "alone": failures_until_alone(max_batch_events),
            "consumer": checkpoint.consumer,
            "shard": checkpoint.shard,
            **known_events(catalogue),
        }

    async def take(
        self,
        connection: Connection,
        *,
        max_events: int | None = None,
        locking: Locking = Locking.OWN,
    ) -> AsyncCursor[tuple[Any, ...]]:
        """Lock the checkpoint and point `batch` at what comes next, in the open transaction."""
        parameters = {**self._parameters, "max_events": max_events or self.max_batch_events}
        return await connection.execute(_claim(locking), parameters, prepare=True)

    async def look(
        self,
        connection: Connection,
        statement: LiteralString,
        parameters: Mapping[str, Any],
        *,
        max_events: int | None = None,
    ) -> tuple[Span | None, list[tuple[Any, ...]]]:
        """What comes next, and the rows that a query of `batch` answers: in one round trip.

        Nothing is locked or left behind; that is for whoever commits in another way.
        """
        async with connection.pipeline():
            await connection.execute("BEGIN READ ONLY")
            claimed = await self.take(connection, max_events=max_events, locking=Locking.NONE)
            found = await connection.execute(statement, parameters, prepare=True)
            await connection.execute("COMMIT")
        span = await span_of(claimed)
        return span, await found.fetchall() if span else []

    async def advance(self, connection: Connection) -> None:
        """Leave the batch behind, in the same transaction; nothing when none was claimed."""
        statement = sql(_PACKAGE, "advance_checkpoint")
        await connection.execute(statement, self._parameters, prepare=True)

    async def apply(
        self,
        connection: Connection,
        statements: Sequence[str],
        *,
        max_events: int | None = None,
    ) -> Span | None:
        """Claim a batch, run the statements over it, advance, commit: in one round trip.

        None: nothing was there to claim, or another process has it; the statements then ran over
        an empty `batch`. After an error the connection is of no further use.
        """
        async with connection.pipeline():
            await connection.execute("BEGIN")
            claimed = await self.take(connection, max_events=max_events)
            for statement in statements:
                await connection.execute(statement, prepare=True)
            await self.advance(connection)
            await connection.execute("COMMIT")
        return await span_of(claimed)

    async def run(
        self, connection: Connection, work: Work, *, max_events: int | None = None
    ) -> Span | None:
        """The same for work that no statements say; it is not called when nothing was claimed."""
        await connection.execute("BEGIN")
        span = await span_of(await self.take(connection, max_events=max_events))
        if span is not None:
            await work(connection)
            await self.advance(connection)
        await connection.execute("COMMIT")
        return span

    async def park(self, connection: Connection, error: str, *, after: int | None) -> Span | None:
        """Set the key of the event behind a position aside, and leave it behind.

        None, and nothing is done, when the checkpoint does not stand there (any more).
        """
        async with connection.transaction():
            span = await span_of(await self.take(connection, max_events=1))
            if span is None or span.after != after:
                return None
            values = {"consumer": self.checkpoint.consumer, "error": error}
            await connection.execute(sql(_PACKAGE, "park_batch"), values)
            await self.advance(connection)
            return span


@cache
def _claim(locking: Locking) -> LiteralString:
    return sql(_PACKAGE, "claim_batch").replace("{lock}", locking.value)


async def span_of(claimed: AsyncCursor[tuple[Any, ...]]) -> Span | None:
    """What `Claim.take` has claimed; None: nothing."""
    row = await claimed.fetchone()
    return None if row is None else Span(*row[:5])


def known_events(catalogue: EventCatalogue) -> dict[str, list[Any]]:
    """The shapes of built-in events that this code knows, as parameters: types and versions."""
    known = [
        (tag, version)
        for tag, declared in catalogue.types.items()
        for version in range(1, declared.schema_version + 1)
    ]
    return {
        "types": [tag for tag, _ in known],
        "versions": [version for _, version in known],
    }


def batch_text(name: str, upcasters: Sequence[Upcaster], *, key: ShardKey) -> str:
    """The text of ``sql/<name>.sql`` that makes the relation `batch`, in today's shape."""
    text: str = sql(_PACKAGE, name)
    for column, expression in {**upcast_columns(upcasters)._asdict(), "key": key.value}.items():
        text = text.replace(f"{{{column}}}", expression)
    return text


async def open_session(
    database: Database,
    upcasters: Sequence[Upcaster],
    *,
    key: ShardKey,
    application_name: str,
    settings: str = "",
) -> Connection:
    """A connection that has the relation `batch`, after more settings. Raises `StoreUnavailable`.

    Or a `psycopg.Error`, when the connection is lost before it is set up.
    """
    connection = await database.connect(application_name=application_name)
    timeout_ms = IDLE_IN_TRANSACTION_TIMEOUT // timedelta(milliseconds=1)
    session = f"""
        SET idle_in_transaction_session_timeout = {timeout_ms};
        {settings}
        {batch_text("batch_session", upcasters, key=key)}
    """
    try:
        await connection.execute(session.encode())
    except BaseException:
        await connection.close()
        raise
    return connection
