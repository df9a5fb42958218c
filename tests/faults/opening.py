"""A store for a process that is begun while connections are cut off."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.kernel.errors import StoreUnavailable


@asynccontextmanager
async def opened_at_last(
    database: Database, poll_interval: timedelta
) -> AsyncIterator[PostgresEventStore]:
    """Opened again when the first connection is lost at once, as a supervisor begins it again."""
    async with AsyncExitStack() as stack:
        store = None
        while store is None:
            with suppress(StoreUnavailable):
                store = await stack.enter_async_context(
                    opened_store(database, poll_interval=poll_interval)
                )
        yield store
