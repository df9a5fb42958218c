"""The event store on PostgreSQL."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Raw
from psycopg_pool import AsyncConnectionPool

from app.eventstore.appender import Appender
from app.eventstore.database import Connection, Database, fetch
from app.eventstore.port import Append, Appended
from app.eventstore.upcasting import Upcaster, upcast_columns
from app.eventstore.wakeups import Wakeups
from app.kernel.event import RecordedEvent
from app.kernel.metrics import UNMEASURED, Histogram

MAX_BATCH_EVENTS = 1_000


class PostgresEventStore:
    """Appends through the process's one appender, reads through a pool. See `EventStore`."""

    def __init__(
        self,
        appender: Appender,
        pool: AsyncConnectionPool[Connection],
        wakeups: Wakeups,
        upcasters: Sequence[Upcaster] = (),
    ) -> None:
        """Take what is opened and closed elsewhere; old payloads are upcast as they are read."""
        self.appender = appender
        self.pool = pool
        self._wakeups = wakeups
        upcast = upcast_columns(upcasters)
        self._select = (
            "SELECT position, event_id, stream, version, type,"
            f" {upcast.schema_version}, customer_id, ({upcast.data})::text,"
            " metadata::text, occurred_at, recorded_at FROM events"
        )

    async def append(self, append: Append) -> Appended:
        """See `EventStore.append`."""
        return await self.appender.append(append)

    async def append_many(self, appends: Sequence[Append]) -> list[Appended | Exception]:
        """See `EventStore.append_many`."""
        outcomes: list[Appended | Exception] = []
        for future in self.appender.submit(appends):
            try:
                outcomes.append(await future)
            except Exception as error:  # each append has its own outcome
                outcomes.append(error)
        return outcomes

    async def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        """See `EventStore.read_stream`."""
        return await self._read(
            "WHERE stream = %s AND version > %s ORDER BY version LIMIT %s",
            (stream, after_version, limit),
        )

    async def read_streams(
        self, after_versions: Mapping[str, int], *, limit: int
    ) -> list[RecordedEvent]:
        """See `EventStore.read_streams`."""
        one = "WHERE stream = wanted.name AND version > wanted.after ORDER BY version LIMIT %s"
        statement = (
            'SELECT mine.* FROM (SELECT name COLLATE "C" AS name, after'
            " FROM unnest(%s::text[], %s::integer[]) AS given (name, after)) AS wanted"
            f" CROSS JOIN LATERAL ({self._select} {one}) AS mine"
        )
        streams, versions = list(after_versions), list(after_versions.values())
        rows = await self._fetch(statement, (streams, versions, limit))
        return [recorded_event(row) for row in rows]

    async def read_log(
        self, *, after: int, limit: int, customer_ids: Sequence[str] | None = None
    ) -> list[RecordedEvent]:
        """See `EventStore.read_log`."""
        if customer_ids is None:
            return await self._read(
                "WHERE position > %s ORDER BY position LIMIT %s", (after, limit)
            )
        # One index range a customer, for a single condition over several reads them all and sorts;
        # and one statement, for what two snapshots show together may have a gap between.
        one = "WHERE customer_id = who.id AND position > %s ORDER BY position LIMIT %s"
        statement = (
            'SELECT mine.* FROM (SELECT DISTINCT unnest(%s::text[]) COLLATE "C" AS id) AS who'
            f" CROSS JOIN LATERAL ({self._select} {one}) AS mine ORDER BY mine.position LIMIT %s"
        )
        rows = await self._fetch(statement, (list(customer_ids), after, limit, limit))
        return [recorded_event(row) for row in rows]

    async def read_category(
        self, category: str, *, limit: int, after: int = 0
    ) -> list[RecordedEvent]:
        """See `EventStore.read_category`."""
        # By bytes, so that what begins with "order-" stands in one range of the index. What is
        # sorted is no column, or the whole log might be read in its order.
        return await self._read(
            "WHERE stream >= %s AND stream < %s AND position > %s ORDER BY position + 0 LIMIT %s",
            (f"{category}-", f"{category}.", after, limit),
        )

    async def head(self) -> int:
        """See `EventStore.head`."""
        rows = await self._fetch("SELECT coalesce(max(position), 0) FROM events", ())
        head: int = rows[0][0]
        return head

    async def find(self, event_id: UUID) -> RecordedEvent | None:
        """See `EventStore.find`."""
        found = await self._read("WHERE event_id = %s", (event_id,))
        return found[0] if found else None

    async def find_all(self, event_ids: Iterable[UUID]) -> dict[UUID, RecordedEvent]:
        """Those of these events that there are, by their ids. Raises `StoreUnavailable`."""
        found = await self._read("WHERE event_id = ANY (%s)", (list(event_ids),))
        return {event.event_id: event for event in found}

    async def follow(self, after: int) -> AsyncIterator[list[RecordedEvent]]:
        """See `EventStore.follow`."""
        while True:
            ticket = self._wakeups.ticket
            batch = await self.read_log(after=after, limit=MAX_BATCH_EVENTS)
            if batch:
                after = batch[-1].position
                yield batch
            else:
                await self._wakeups.wait(ticket)

    async def now(self) -> datetime:
        """See `EventStore.now`."""
        rows = await self._fetch("SELECT clock_now()", ())
        now: datetime = rows[0][0]
        return now

    async def _read(self, where: str, parameters: tuple[Any, ...]) -> list[RecordedEvent]:
        rows = await self._fetch(f"{self._select} {where}", parameters)
        return [recorded_event(row) for row in rows]

    async def _fetch(self, query: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return await fetch(self.pool, query.encode(), parameters)


def recorded_event(row: tuple[Any, ...]) -> RecordedEvent:
    """The event of a row with all of the log's columns in order, data and metadata as text."""
    fields: Sequence[Any] = (*row[:7], Raw(row[7].encode()), Raw(row[8].encode()), *row[9:])
    return RecordedEvent(*fields)


@asynccontextmanager
async def opened_store(
    database: Database,
    *,
    poll_interval: timedelta,
    upcasters: Sequence[Upcaster] = (),
    max_pool_size: int = 8,
    group_events: Histogram = UNMEASURED,
    group_seconds: Histogram = UNMEASURED,
) -> AsyncIterator[PostgresEventStore]:
    """A store for the time of the block. Raises `StoreUnavailable` or `UnsafeServer`."""
    appender = Appender(database, group_events=group_events, group_seconds=group_seconds)
    async with (
        appender,
        database.pool(max_size=max_pool_size) as pool,
        Wakeups(database, poll_interval) as wakeups,
    ):
        yield PostgresEventStore(appender, pool, wakeups, upcasters)
