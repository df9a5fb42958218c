"""The store as a command wants it, which appends and reads, and follows nothing."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.upcasting import Upcaster

MAX_CONNECTIONS = 2
_POLL_INTERVAL = timedelta(seconds=1)  # nothing follows the log


def command_store(
    database: Database, upcasters: Sequence[Upcaster] = ()
) -> AbstractAsyncContextManager[PostgresEventStore]:
    """The store, for the time of the block; events are read as they were recorded, or upcast."""
    return opened_store(
        database,
        poll_interval=_POLL_INTERVAL,
        upcasters=upcasters,
        max_pool_size=MAX_CONNECTIONS,
    )
