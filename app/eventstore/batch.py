"""The next stretch of the log for a consumer: claimed, worked on, left behind in one transaction.

A session that is opened here has a relation named `batch`: the events of the range that the last
claim took, in today's shape, and none outside of a claim. Positions are dense and become visible in
order, so a range of positions is a batch: nothing can still appear below its end.

Crash semantics: work and checkpoint are committed together or not at all. A process, backend or
server that dies in the middle leaves the checkpoint where it was, and its row free: there is no
lease to run out, whoever comes next claims the same range again. A process that is merely stopped,
or cut off, holds the row for 30 s at most.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg import AsyncCursor

from app.eventstore.database import Connection, Database, sql
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


class Checkpoint(NamedTuple):
    """How far one consumer has come in one shard of its work: a row of the table `checkpoints`."""

    consumer: str
    shard: int = 0


class Claim:
    """Claims a checkpoint's next batch, and advances the checkpoint over it."""

    def __init__(
        self, checkpoint: Checkpoint, catalogue: EventCatalogue, *, max_batch_events: int
    ) -> None:
        """Take whose batches, what this code knows, and how long a batch may be."""
        known = [
            (tag, version)
            for tag, declared in catalogue.types.items()
            for version in range(1, declared.schema_version + 1)
        ]
        self._parameters = {
            "consumer": checkpoint.consumer,
            "shard": checkpoint.shard,
            "max_events": max_batch_events,
            "types": [tag for tag, _ in known],
            "versions": [version for _, version in known],
        }

    async def take(self, connection: Connection) -> AsyncCursor[tuple[Any, ...]]:
        """Lock the checkpoint and point `batch` at what comes next, in the open transaction."""
        statement = sql(_PACKAGE, "claim_batch")
        return await connection.execute(statement, self._parameters, prepare=True)

    async def advance(self, connection: Connection) -> None:
        """Leave the batch behind, in the same transaction; nothing when none was claimed."""
        statement = sql(_PACKAGE, "advance_checkpoint")
        await connection.execute(statement, self._parameters, prepare=True)

    async def apply(self, connection: Connection, statements: Sequence[str]) -> Span | None:
        """Claim a batch, run the statements over it, advance, commit: in one round trip.

        None: nothing was there to claim, or another process has it; the statements then ran over
        an empty `batch`. After an error the connection is of no further use.
        """
        async with connection.pipeline():
            await connection.execute("BEGIN")
            claimed = await self.take(connection)
            for statement in statements:
                await connection.execute(statement, prepare=True)
            await self.advance(connection)
            await connection.execute("COMMIT")
        row = await claimed.fetchone()
        return None if row is None else Span(*row[:4])


async def open_session(
    database: Database,
    upcasters: Sequence[Upcaster],
    *,
    application_name: str,
    settings: str = "",
) -> Connection:
    """A connection that has the relation `batch`, after more settings. Raises `StoreUnavailable`.

    Or a `psycopg.Error`, when the connection is lost before it is set up.
    """
    connection = await database.connect(application_name=application_name)
    timeout_ms = IDLE_IN_TRANSACTION_TIMEOUT // timedelta(milliseconds=1)
    columns = upcast_columns(upcasters)
    batch = sql(_PACKAGE, "batch_session").replace("{data}", columns.data)
    session = f"""
        SET idle_in_transaction_session_timeout = {timeout_ms};
        {settings}
        {batch.replace("{schema_version}", columns.schema_version)}
    """
    try:
        await connection.execute(session)
    except BaseException:
        await connection.close()
        raise
    return connection
