"""A store that something works on: it is waited for, looked at, and its clock is moved."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore
from app.eventstore.wakeups import Wakeups
from app.kernel.event import Metadata

POLL = timedelta(seconds=1)
DEADLINE_S = 20
METADATA = Metadata(correlation_id="c-1", request_id="r-1")

Work = Callable[[Wakeups, asyncio.Event], Coroutine[Any, Any, None]]
"""Goes on until the event is set."""


@dataclass
class OnStore:
    """What tests of those who work on a store have in common."""

    database: Database
    store: PostgresEventStore
    executor: Executor

    @asynccontextmanager
    async def at_work(self, work: Work) -> AsyncIterator[asyncio.Task[None]]:
        """It is done for the time of the block, which may cancel it."""
        stop = asyncio.Event()
        async with Wakeups(self.database, POLL) as wakeups:
            running = asyncio.create_task(work(wakeups, stop))
            try:
                yield running
            finally:
                stop.set()
                await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), DEADLINE_S)
                if not running.cancelling():
                    running.result()

    async def until_true(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not await is_so():
                await asyncio.sleep(0.01)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with await self.database.connect() as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def pass_time(self, duration: timedelta) -> None:
        """Move the store's clock."""
        seconds = duration.total_seconds()
        await self.rows(f"UPDATE clock SET offset_by = offset_by + interval '{seconds} s'")
