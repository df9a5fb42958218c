"""What is done with all that is held about a customer: erased, exported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.bootstrap.sealing import begun_data_keys
from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore
from app.modules.customers.erasure import Erasures
from app.modules.customers.receipts import Receipts
from app.modules.interactions.quarantine import StoredQuarantine
from app.secret import read_secret
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
from app.settings import Settings
from projections.customers.queries import Customers
from projections.export.lines import Exports
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.timeline.queries import Timelines


def erasures_of(store: PostgresEventStore, secret: bytes, data_keys: DataKeys) -> Erasures:
    """What erases customers."""
    return Erasures(store, CODEC, data_keys, Receipts(secret))


def exports_of(store: PostgresEventStore, models: ReadModels, disclosure: Disclosure) -> Exports:
    """What exports customers."""
    customers, timelines = Customers(models), Timelines(models, CATALOGUE, UPCASTERS)
    quarantine = StoredQuarantine(store.pool)
    return Exports(store, CODEC, customers, timelines, quarantine, reveal=disclosure.opened)


@asynccontextmanager
async def opened_erasures(settings: Settings, database: Database) -> AsyncIterator[Erasures]:
    """What erases customers, for the time of the block."""
    async with command_store(database) as store:
        data_keys = await begun_data_keys(settings, store.pool)
        yield erasures_of(store, read_secret(settings), data_keys)


@asynccontextmanager
async def opened_exports(settings: Settings, database: Database) -> AsyncIterator[Exports]:
    """What exports customers, for the time of the block."""
    async with (
        command_store(database, UPCASTERS) as store,
        database.pool(max_size=2, settings=QUERY_SETTINGS) as pool,
    ):
        data_keys = await begun_data_keys(settings, store.pool)
        models = ReadModels(pool, min_position_timeout=settings.min_position_timeout)
        yield exports_of(store, models, Disclosure(data_keys))
