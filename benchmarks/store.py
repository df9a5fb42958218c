"""Appends a second through the store, by concurrent callers, against plain single inserts."""

import asyncio
from datetime import timedelta
from functools import partial
from time import perf_counter

from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.kernel.ids import stream_name
from benchmarks.bench import Bench
from benchmarks.plain_inserts import MAX_CONNECTIONS, PlainInserts, plain_inserts
from benchmarks.report import Row, Section, compared
from benchmarks.rounds import side_by_side
from benchmarks.sample import Crowd

CALLERS = (1, 8, 32, 256)
TARGETS = {32: 2.5}


async def measure(bench: Bench) -> Section:
    """Each caller appends one event, waits for its commit, and appends the next."""
    database = bench.store("store")
    plain_database = bench.plain_table("store_plain", database)
    async with (
        opened_store(database, poll_interval=timedelta(seconds=1)) as store,
        plain_inserts(plain_database) as plain,
    ):
        rows = [await _compare(bench, _Callers(store), plain, callers) for callers in CALLERS]
    return Section("Appends through the store, an event each", rows)


async def _compare(bench: Bench, appends: "_Callers", plain: PlainInserts, callers: int) -> Row:
    seconds = bench.size.store_seconds
    name = f"{callers} concurrent caller{'s' if callers > 1 else ''}"
    connections = min(callers, MAX_CONNECTIONS)
    against = f"plain inserts, {connections} connection{'s' if connections > 1 else ''}"
    rates = await side_by_side(
        {
            name: partial(appends.rate, callers, seconds),
            against: partial(plain.rate, connections, seconds),
        },
        rounds=bench.size.rounds,
    )
    return compared(rates, name, against, target=TARGETS.get(callers))


class _Callers:
    """Callers of one store, in one process."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._store = store
        self._crowd = Crowd()

    async def rate(self, callers: int, seconds: float) -> float:
        """Appends a second."""
        started = perf_counter()
        until = started + seconds
        appended = await asyncio.gather(*(self._loop(until) for _ in range(callers)))
        return sum(appended) / (perf_counter() - started)

    async def _loop(self, until: float) -> int:
        appended = 0
        while perf_counter() < until:
            customer_id = self._crowd.customer()
            stream = stream_name("activity", customer_id)
            event = self._crowd.event(customer_id)
            await self._store.append(Append((StreamAppend(stream, (event,)),)))
            appended += 1
        return appended
