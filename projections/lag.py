"""How far behind the read models are, as metrics of whoever serves queries."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import psycopg

from app.eventstore.database import Connection, Database
from app.kernel.errors import StoreUnavailable
from app.kernel.metrics import Gauge
from projections.projection import Projection
from projections.status import statuses

LOOK_EVERY_S = 2.0


class LagGauges(NamedTuple):
    """Where one projection's lag is published."""

    events: Gauge
    seconds: Gauge


@asynccontextmanager
async def published_lag(
    database: Database, projections: Sequence[Projection[Any]], gauges: Mapping[str, LagGauges]
) -> AsyncIterator[None]:
    """Publish the lag of the generations that queries read, for the time of the block."""
    task = asyncio.create_task(_publish_for_ever(database, projections, gauges))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _publish_for_ever(
    database: Database, projections: Sequence[Projection[Any]], gauges: Mapping[str, LagGauges]
) -> None:
    while True:
        with suppress(StoreUnavailable, psycopg.Error):
            async with await database.connect(application_name="tidings lag") as connection:
                while True:
                    await _publish(connection, projections, gauges)
                    await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.sleep(LOOK_EVERY_S)


async def _publish(
    connection: Connection,
    projections: Sequence[Projection[Any]],
    gauges: Mapping[str, LagGauges],
) -> None:
    for status in await statuses(connection, projections):
        if status.read is not None:
            gauges[status.name].events.set(status.read.lag_events)
            gauges[status.name].seconds.set(status.read.lag_seconds)
