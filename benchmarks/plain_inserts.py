"""The baseline of every writer: a loop of plain single inserts, without lock, checks or HTTP.

Each loop has a connection of its own and waits for its commit. Positions and versions are counted
by the client, which only works for as long as there is one client: the baseline is what PostgreSQL
gives to somebody who needs none of the guarantees.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from time import perf_counter

from app.eventstore.database import Connection, Database
from app.kernel.ids import stream_name
from benchmarks.sample import Crowd

MAX_CONNECTIONS = 32

_INSERT = """
INSERT INTO events (
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, clock_timestamp())
"""


class PlainInserts:
    """Loops of single inserts into one table."""

    def __init__(self, connections: list[Connection]) -> None:
        """Take the connections, one a loop."""
        self._connections = connections
        self._crowd = Crowd()
        self._positions = count(1)
        self._versions: Counter[str] = Counter()

    async def rate(self, loops: int, seconds: float) -> float:
        """Inserts a second, by at most as many loops as there are connections."""
        started = perf_counter()
        until = started + seconds
        chosen = self._connections[:loops]
        inserted = await asyncio.gather(*(self._loop(one, until) for one in chosen))
        return sum(inserted) / (perf_counter() - started)

    async def _loop(self, connection: Connection, until: float) -> int:
        inserted = 0
        while perf_counter() < until:
            await self._insert(connection)
            inserted += 1
        return inserted

    async def _insert(self, connection: Connection) -> None:
        customer_id = self._crowd.customer()
        event = self._crowd.event(customer_id)
        stream = stream_name("activity", customer_id)
        self._versions[stream] += 1
        await connection.execute(
            _INSERT,
            (
                next(self._positions),
                event.event_id,
                stream,
                self._versions[stream],
                event.type,
                event.schema_version,
                customer_id,
                bytes(event.data).decode(),
                bytes(event.metadata).decode(),
                event.occurred_at,
            ),
            prepare=True,
        )


@asynccontextmanager
async def plain_inserts(database: Database) -> AsyncIterator[PlainInserts]:
    """The loops, connected for the time of the block."""
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(await database.connect())
            for _ in range(MAX_CONNECTIONS)
        ]
        yield PlainInserts(connections)
