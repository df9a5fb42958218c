"""API keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.bootstrap.store import command_store
from app.catalogue import CODEC
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore
from app.kernel.clock import system_clock
from app.secret import read_secret
from app.security.keys import Keys
from app.security.uses import KeyUses, StoredKeyUses
from app.settings import Settings


def keys_of(
    settings: Settings, store: PostgresEventStore, executor: Executor, uses: KeyUses
) -> Keys:
    """The keys of a store."""
    return Keys(
        store,
        executor,
        CODEC,
        uses,
        secret=read_secret(settings),
        environment=settings.environment,
        clock=system_clock,
    )


@asynccontextmanager
async def opened_keys(settings: Settings, database: Database) -> AsyncIterator[Keys]:
    """The store's API keys, for the time of the block."""
    async with command_store(database) as store:
        executor = Executor(store, CODEC)
        yield keys_of(settings, store, executor, StoredKeyUses(store.pool))
