"""How reactions are doing: for people, and for metrics."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Annotated, NamedTuple

import psycopg
from msgspec import Meta, Struct
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing, rows_of
from app.kernel.errors import StoreUnavailable
from app.kernel.metrics import Gauge
from app.reactions.reactor import CONSUMER

ENGAGEMENT = "engagement"
"""The consumer that decides by rules."""

LOOK_EVERY_S = 2.0
MAX_COUNTED_TIMERS = 10_000
"""Those that wait may be millions."""


class ShardStatus(Struct, frozen=True):
    """One share of the customers."""

    shard: Annotated[int, Meta(examples=[0])]
    position: Annotated[int, Meta(examples=[1042])]
    """How far the log has been reacted to."""
    lag_events: Annotated[int, Meta(examples=[0])]
    lag_seconds: Annotated[float, Meta(examples=[0.0])]
    """How long the oldest event behind the position has been recorded; 0: there is none."""
    parked_keys: Annotated[int, Meta(examples=[0])]
    """How many keys are left out, such as customers, from an event on that failed."""
    moved_at: datetime
    last_error: str | None


class TimersStatus(Struct, frozen=True):
    """The timers, all together."""

    waiting: Annotated[int, Meta(examples=[311])]
    """How many there are; 10,000 stand for as many or more."""
    overdue: Annotated[int, Meta(examples=[0])]
    """How many of them are due and have not fired."""
    lateness_seconds: Annotated[float, Meta(examples=[0.0])]
    """For how long the oldest of these has been due; 0: there is none."""


class ReactionsStatus(Struct, frozen=True):
    """How far the reactor has come, and what waits."""

    shards: Sequence[ShardStatus]
    """None until a reactor has run."""
    engagement: ShardStatus | None
    """The engine, which decides by rules; null until one has run."""
    timers: TimersStatus
    looked_at: datetime
    """The store's time."""


_SHARDS = """
SELECT shard, position, greatest(log.head - position, 0) AS lag_events,
    greatest(coalesce(extract(epoch FROM clock_now() - (
        SELECT recorded_at FROM events WHERE events.position = checkpoints.position + 1
    )), 0), 0)::double precision AS lag_seconds, (
        SELECT count(*) FROM parked_keys AS parked
        WHERE parked.consumer = checkpoints.consumer
            AND shard_of(parked.key, checkpoints.shards) = checkpoints.shard
    ) AS parked_keys, moved_at, last_error
FROM checkpoints
CROSS JOIN (SELECT coalesce(max(events.position), 0) AS head FROM events) AS log
WHERE consumer = %s ORDER BY shard
"""
# One that failed is tried again within a minute, so the index knows where to look for what is due.
_OVERDUE = """
SELECT count(*), greatest(
    coalesce(extract(epoch FROM clock_now() - min(due_at)), 0), 0
)::double precision
FROM timers
WHERE next_try_at <= clock_now() + interval '1 minute' AND due_at <= clock_now()
"""
_ALL = "SELECT count(*), clock_now() FROM (SELECT FROM timers LIMIT %s) AS counted"


async def shards_status(connection: Connection, consumer: str = CONSUMER) -> list[ShardStatus]:
    """Each shard of the reactor, or of another consumer, in order."""
    async with connection.cursor(row_factory=class_row(ShardStatus)) as cursor:
        await cursor.execute(_SHARDS, (consumer,))
        return await cursor.fetchall()


async def reactions_status(connection: Connection) -> ReactionsStatus:
    """All of it, as it is now."""
    shards = await shards_status(connection)
    engagement = next(iter(await shards_status(connection, ENGAGEMENT)), None)
    ((overdue, lateness_s),) = await rows_of(connection, _OVERDUE, ())
    ((waiting, looked_at),) = await rows_of(connection, _ALL, (MAX_COUNTED_TIMERS,))
    timers = TimersStatus(waiting, overdue, lateness_s)
    return ReactionsStatus(shards, engagement, timers, looked_at)


class ReactorGauges(NamedTuple):
    """Where it is published how the reactor is doing, all shards together, and the engine."""

    lag_events: Gauge
    lag_seconds: Gauge
    parked_keys: Gauge
    timers_overdue: Gauge
    engagement_lag_events: Gauge
    engagement_lag_seconds: Gauge
    engagement_parked_keys: Gauge


@asynccontextmanager
async def published_status(
    pool: AsyncConnectionPool[Connection], gauges: ReactorGauges
) -> AsyncIterator[None]:
    """Publish it for the time of the block; nothing as long as the store is away."""
    task = asyncio.create_task(_publish_for_ever(pool, gauges))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _publish_for_ever(pool: AsyncConnectionPool[Connection], gauges: ReactorGauges) -> None:
    while True:
        with suppress(StoreUnavailable, psycopg.Error):
            await borrowing(pool, partial(_publish, gauges=gauges))
        await asyncio.sleep(LOOK_EVERY_S)


async def _publish(connection: Connection, gauges: ReactorGauges) -> None:
    """As far as the hindmost shard."""
    shards = await shards_status(connection)
    ((overdue, _),) = await rows_of(connection, _OVERDUE, ())
    gauges.lag_events.set(max((shard.lag_events for shard in shards), default=0))
    gauges.lag_seconds.set(max((shard.lag_seconds for shard in shards), default=0))
    gauges.parked_keys.set(sum(shard.parked_keys for shard in shards))
    gauges.timers_overdue.set(overdue)
    for engine in await shards_status(connection, ENGAGEMENT):
        gauges.engagement_lag_events.set(engine.lag_events)
        gauges.engagement_lag_seconds.set(engine.lag_seconds)
        gauges.engagement_parked_keys.set(engine.parked_keys)
