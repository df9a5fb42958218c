"""Where the API reads read models: on the store's server, or on a replica of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore
from app.eventstore.replica import opened_replica
from app.http.health import HealthCheck
from app.kernel.cursors import Cursors
from app.secret import read_secret
from app.settings import Settings
from projections.reading import QUERY_SETTINGS, ReadModels

MAX_QUERY_CONNECTIONS = 8


class Reading(NamedTuple):
    """Where read models are read."""

    models: ReadModels
    """For queries."""
    primary: ReadModels
    """On the store's own server, for what follows the log."""
    health_checks: dict[str, HealthCheck]


@asynccontextmanager
async def opened_reading(
    settings: Settings, database: Database, store: PostgresEventStore
) -> AsyncIterator[Reading]:
    """The read models, those for queries on the replica if there is one."""
    cursors = Cursors(read_secret(settings))
    size, timeout = MAX_QUERY_CONNECTIONS, settings.min_position_timeout
    async with database.pool(max_size=size, settings=QUERY_SETTINGS) as pool:
        primary = ReadModels(pool, min_position_timeout=timeout, cursors=cursors)
        if settings.read_database_url is None:
            yield Reading(primary, primary, {})
            return
        there = Database(settings.read_database_url, settings.schema, called="the replica")
        async with opened_replica(
            there, store.pool, max_size=size, settings=QUERY_SETTINGS
        ) as replica:
            models = ReadModels(
                replica.pool,
                min_position_timeout=timeout,
                head=store.head,
                check=replica.check,
                cursors=cursors,
            )
            yield Reading(models, primary, {"replica": replica.ready})
