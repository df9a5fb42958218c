"""The store's time in a process, without asking each time.

It is what the server said last, and what has passed here since. The machine's own clock, which may
be wrong or be set, is not looked at.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from time import monotonic

import psycopg
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch
from app.kernel.errors import StoreUnavailable

ASKED_EVERY = timedelta(seconds=0.25)


class StoreClock:
    """A `Clock` that tells the store's time."""

    def __init__(self, now: datetime) -> None:
        """Take what the store says."""
        self.set(now)

    def set(self, now: datetime) -> None:
        """The store says so now."""
        self._said, self._at = now, monotonic()

    def __call__(self) -> datetime:
        """The store's time, to the time that an answer of the store takes."""
        return self._said + timedelta(seconds=monotonic() - self._at)


@asynccontextmanager
async def followed_clock(pool: AsyncConnectionPool[Connection]) -> AsyncIterator[StoreClock]:
    """The store's clock for the time of the block. Raises `StoreUnavailable`.

    It is set again every quarter of a second, for tests and simulations move the store's time.
    """
    clock = StoreClock(await _now(pool))

    async def follow() -> None:
        while True:
            await asyncio.sleep(ASKED_EVERY.total_seconds())
            with suppress(StoreUnavailable, psycopg.Error):  # time goes on here meanwhile
                clock.set(await _now(pool))

    following = asyncio.create_task(follow())
    try:
        yield clock
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _now(pool: AsyncConnectionPool[Connection]) -> datetime:
    rows = await fetch(pool, b"SELECT clock_now()", ())
    now: datetime = rows[0][0]
    return now
