"""A period of the log, read from end to end by somebody who wants few types, as fast as it goes.

Positions are dense, so a period is ranges of them. The next range is asked for before the one at
hand is worked on: the server reads while Python computes.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from msgspec import Raw
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing
from app.eventstore.upcasting import Upcaster, upcast_columns
from app.kernel.event import RecordedEvent

RANGE_POSITIONS = 10_000
"""Read at a time, and held twice."""

_NOTHING = Raw(b"{}")


class Scan:
    """Reads events of some types, without their metadata and versions, which are empty and 0."""

    def __init__(
        self, pool: AsyncConnectionPool[Connection], upcasters: Sequence[Upcaster] = ()
    ) -> None:
        """Take the connections, of which one is used at a time."""
        self._pool = pool
        upcast = upcast_columns(upcasters)
        self._statement = (
            f"SELECT position, event_id, stream, type, {upcast.schema_version}, customer_id,"
            f" convert_to(({upcast.data})::text, 'UTF8'), occurred_at, recorded_at FROM events"
            " WHERE position > %s AND position <= %s AND type = ANY (%s) ORDER BY position"
        ).encode()

    async def __call__(
        self, types: Collection[str], *, after: int, upto: int
    ) -> AsyncIterator[tuple[int, Sequence[RecordedEvent]]]:
        """The events after a position (exclusive) up to another one, range by range, in order.

        Each comes with the position at which its range ends. Raises `StoreUnavailable`.
        """
        wanted = sorted(types)
        begin = min(after, upto)
        reading = self._ask(wanted, begin, upto)
        try:
            while begin < upto:
                end = min(begin + RANGE_POSITIONS, upto)
                rows = await reading
                reading = self._ask(wanted, end, upto)
                await asyncio.sleep(0)  # it sets out
                yield end, [_recorded(row) for row in rows]
                begin = end
        finally:
            reading.cancel()

    def _ask(self, types: list[str], begin: int, upto: int) -> "asyncio.Task[list[Any]]":
        end = min(begin + RANGE_POSITIONS, upto)

        async def read(connection: Connection) -> list[Any]:
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(self._statement, (begin, end, types), prepare=True)
                return await cursor.fetchall()

        async def ask() -> list[Any]:
            return await borrowing(self._pool, read) if begin < upto else []

        return asyncio.create_task(ask())


def _recorded(row: tuple[Any, ...]) -> RecordedEvent:
    position, event_id, stream, event_type, schema_version, customer_id, data, *times = row
    return RecordedEvent(
        position,
        event_id,
        stream,
        0,
        event_type,
        schema_version,
        customer_id,
        Raw(data),
        _NOTHING,
        *times,
    )
