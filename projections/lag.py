"""Looks at the read models now and then: metrics of whoever serves queries, and their rates."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import psycopg

from app.eventstore.database import Database
from app.kernel.errors import StoreUnavailable
from app.kernel.metrics import Gauge
from projections.projection import Projection
from projections.status import ProjectionStatus, rates_per_s, statuses

LOOK_EVERY_S = 2.0


class LagGauges(NamedTuple):
    """Where one projection's lag is published, and what it leaves out."""

    events: Gauge
    seconds: Gauge
    parked_keys: Gauge


class Rates:
    """How fast projections' generations move, by the last two looks at them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._last: dict[str, ProjectionStatus] = {}
        self._per_s: dict[str, float] = {}

    def of(self, generation: str) -> float | None:
        """Events a second; None as long as there were no two looks at it."""
        return self._per_s.get(generation)

    def look(self, seen: Sequence[ProjectionStatus]) -> None:
        """Take what is seen now."""
        now = {status.name: status for status in seen}
        self._per_s = {
            generation: rate
            for name in now.keys() & self._last.keys()
            for generation, rate in rates_per_s(self._last[name], now[name]).items()
        }
        self._last = now

    def forget(self) -> None:
        """Begin anew, after a time in which nobody looked."""
        self._last, self._per_s = {}, {}


@asynccontextmanager
async def published_lag(
    database: Database, projections: Sequence[Projection[Any]], gauges: Mapping[str, LagGauges]
) -> AsyncIterator[Rates]:
    """Publish the lag of the generations that queries read, for the time of the block."""
    rates = Rates()
    task = asyncio.create_task(_publish_for_ever(database, projections, gauges, rates))
    try:
        yield rates
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _publish_for_ever(
    database: Database,
    projections: Sequence[Projection[Any]],
    gauges: Mapping[str, LagGauges],
    rates: Rates,
) -> None:
    while True:
        with suppress(StoreUnavailable, psycopg.Error):
            async with await database.connect(application_name="tidings lag") as connection:
                while True:
                    seen = await statuses(connection, projections)
                    rates.look(seen)
                    _publish(seen, gauges)
                    await asyncio.sleep(LOOK_EVERY_S)
        rates.forget()
        await asyncio.sleep(LOOK_EVERY_S)


def _publish(seen: Sequence[ProjectionStatus], gauges: Mapping[str, LagGauges]) -> None:
    for status in seen:
        if status.read is not None:
            gauges[status.name].events.set(status.read.lag_events)
            gauges[status.name].seconds.set(status.read.lag_seconds)
            gauges[status.name].parked_keys.set(status.read.parked_keys)
