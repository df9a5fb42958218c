"""What a log's growth costs: the same figures on logs of very different lengths, in turns."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from statistics import median
from time import perf_counter

from psycopg_pool import AsyncConnectionPool

from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.database import Connection, Database
from benchmarks.bench import Bench
from benchmarks.caught_up import rate_of_catch_up
from benchmarks.filled import FIRST_INSTANT, REGULARS, fill
from benchmarks.read_models import rate_of_rebuild
from benchmarks.report import Row, Section, compared, percentiles_ms
from benchmarks.rounds import side_by_side
from projections.paging import DEFAULT_LIMIT
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.registry import PROJECTIONS
from projections.timeline.queries import EVERYTHING, TimelineFilter, Timelines

TARGET_OF_QUERY = 1.5
"""The most that the longest log's may take in relation to the shortest's: flat, but for noise."""
WARM_UP_QUERIES = 50

Stores = dict[int, Database]
"""By the number of events, from few to many."""
Query = Callable[[], Awaitable[float]]
Latencies = Mapping[int, list[float]]
"""In milliseconds, by the same."""


async def measure(bench: Bench) -> Section:
    """A store for each length."""
    stores = {events: bench.store(f"growth_{events}") for events in bench.size.growth_events}
    for events, database in stores.items():
        await asyncio.to_thread(fill, bench, database, events)
    rows = [
        *await _rates(bench, stores, "catch-up of all projections", _catch_up),
        *await _rates(bench, stores, "rebuild of timeline", rate_of_rebuild),
        *await _latencies(bench, stores),
    ]
    bench.drop(*stores.values())
    return Section("Growth", rows)


async def _catch_up(database: Database, events: int) -> float:
    return await rate_of_catch_up(database, PROJECTIONS, events)


async def _rates(
    bench: Bench, stores: Stores, what: str, rate: Callable[[Database, int], Awaitable[float]]
) -> list[Row]:
    names = {events: f"{what}, {events:,} events" for events in stores}
    contenders = {
        names[events]: partial(rate, database, events) for events, database in stores.items()
    }
    rates = await side_by_side(contenders, rounds=bench.size.growth_rounds)
    first, *others = names.values()
    shortest = f"{next(iter(names)):,} events"
    return [
        replace(compared(rates, first, first), against="", baseline="", ratio=""),
        *(replace(compared(rates, name, first), against=shortest) for name in others),
    ]


async def _latencies(bench: Bench, stores: Stores) -> list[Row]:
    """Queries take turns between the stores, so that each finds the others' pages in the way."""
    async with AsyncExitStack() as stack:
        queries = {
            events: _Queries(await stack.enter_async_context(_opened(database)), events)
            for events, database in stores.items()
        }
        first = await _in_turns(bench, {n: one.first_page for n, one in queries.items()})
        earlier = await _in_turns(bench, {n: one.earlier_page for n, one in queries.items()})
    return [
        *_latency_rows("timeline query, first page", first, target=TARGET_OF_QUERY),
        *_latency_rows("timeline query, earlier page", earlier),
    ]


def _opened(database: Database) -> AsyncConnectionPool[Connection]:
    return database.pool(max_size=1, settings=QUERY_SETTINGS)


class _Queries:
    """Pages of customers whose timelines have grown with the log; each page is a full one."""

    def __init__(self, pool: AsyncConnectionPool[Connection], events: int) -> None:
        models = ReadModels(pool, min_position_timeout=timedelta(seconds=1))
        self._timelines = Timelines(models, CATALOGUE, UPCASTERS)
        self._events = events
        self._random = Random(7)

    async def first_page(self) -> float:
        """The seconds that it took."""
        return await self._page(EVERYTHING)

    async def earlier_page(self) -> float:
        """The same, from the later half of the timeline."""
        until = self._random.randrange(self._events // 2, self._events)
        return await self._page(TimelineFilter(until=FIRST_INSTANT + timedelta(seconds=until)))

    async def _page(self, only: TimelineFilter) -> float:
        customer_id = f"regular-{self._random.randrange(REGULARS)}"
        started = perf_counter()
        page = await self._timelines.page(customer_id, only=only, limit=DEFAULT_LIMIT)
        elapsed_s = perf_counter() - started
        assert len(page.items) == DEFAULT_LIMIT
        return elapsed_s


async def _in_turns(bench: Bench, queries: Mapping[int, Query]) -> Latencies:
    latencies_ms: dict[int, list[float]] = {events: [] for events in queries}
    for number in range(WARM_UP_QUERIES + bench.size.growth_queries):
        for events, query in queries.items():
            latency_s = await query()
            if number >= WARM_UP_QUERIES:
                latencies_ms[events].append(latency_s * 1000)
    return latencies_ms


def _latency_rows(what: str, latencies_ms: Latencies, *, target: float | None = None) -> list[Row]:
    """The longest log's has a target: in relation to the shortest's."""
    shortest, *_, longest = latencies_ms
    rows = []
    for events, measured_ms in latencies_ms.items():
        named = f"{what}, {events:,} events"
        if events == shortest:
            rows.append(Row(named, percentiles_ms(measured_ms)))
            continue
        ratio = median(measured_ms) / median(latencies_ms[shortest])
        asked = target if events == longest else None
        rows.append(
            Row(
                named,
                percentiles_ms(measured_ms),
                f"{shortest:,} events",
                percentiles_ms(latencies_ms[shortest]),
                f"{ratio:.2f} of p50",
                "" if asked is None else f"flat: ≤ {asked:g}",
                None if asked is None else ratio <= asked,
            )
        )
    return rows
