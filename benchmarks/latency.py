"""From an event to its timeline: how long until it can be read there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from itertools import count
from statistics import median
from time import perf_counter
from typing import Any

from aiohttp import ClientSession
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Connection, Database
from benchmarks.bench import Bench
from benchmarks.processes import Server, projector, running, tidings_server
from benchmarks.report import Row, Section, percentiles_ms
from benchmarks.sample import Crowd
from benchmarks.steady_load import EVENTS_PER_SECOND
from projections.timeline import TIMELINE

TARGET_MS = 5.0
CUSTOMERS = 200
PAUSE_S = 0.01
"""Between two events, so that each finds everything at rest."""
GIVE_UP_S = 30.0
WARM_UP_EVENTS = 20

Once = Callable[[], Awaitable[float]]
"""Sends one event; answers the seconds until it was seen."""


async def measure(bench: Bench) -> Section:
    """API, projector and PostgreSQL as processes of their own: at rest, then under a load."""
    database = bench.store("latency")
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        server = stack.enter_context(tidings_server(bench, database))
        stack.enter_context(projector(bench, database))
        await server.ready()
        watch = await stack.enter_async_context(_watch(server, database))
        await _delays_ms(watch.until_answered, WARM_UP_EVENTS)
        for load in (0, EVENTS_PER_SECOND):
            arguments = ["-m", "benchmarks.steady_load", server.url, server.authorization]
            with running(bench, arguments) if load else nullcontext():
                rows += await _rows(watch, bench.size.latency_events, load)
    return Section("From an event to its customer's timeline", rows)


async def _rows(watch: "_Watch", events: int, load: int) -> list[Row]:
    beside = f", beside {load} events/s" if load else ""
    measured: list[tuple[str, Once, float | None]] = [
        ("POST until GET timeline has it", watch.until_answered, TARGET_MS),
        ("POST, and GET timeline with its min_position", watch.until_waited_for, None),
        ("commit until the table has it", watch.until_in_table, None),
    ]
    return [
        _row(f"{what}{beside}", await _delays_ms(once, events), target_ms)
        for what, once, target_ms in measured
    ]


async def _delays_ms(once: Once, events: int) -> list[float]:
    delays_ms = []
    for _ in range(events):
        delays_ms.append(await once() * 1000)
        await asyncio.sleep(PAUSE_S)
    return delays_ms


def _row(what: str, delays_ms: list[float], target_ms: float | None = None) -> Row:
    middle = median(delays_ms)
    return Row(
        what,
        percentiles_ms(delays_ms),
        target="" if target_ms is None else f"p50 ≤ {target_ms:g} ms",
        reached=None if target_ms is None else middle <= target_ms,
    )


class _Watch:
    """Sends events one by one, and looks for each without a pause until it is there."""

    def __init__(self, url: str, client: ClientSession, connection: Connection) -> None:
        self._url = url
        self._client = client
        self._connection = connection
        self._crowd = Crowd()
        self._numbers = count()
        table = Identifier(TIMELINE.generation(1).tables.timeline.name)
        self._find = SQL("SELECT FROM {} WHERE customer_id = %s AND position = %s").format(table)

    async def until_answered(self) -> float:
        """From before the POST to the answer of GET that has the entry: what a user would see."""
        started = perf_counter()
        customer_id, position = await self._send()
        while perf_counter() - started < GIVE_UP_S:
            if position in await self._positions(customer_id):
                return perf_counter() - started
        raise RuntimeError(f"position {position} is on no timeline after {GIVE_UP_S:.0f} s")

    async def until_waited_for(self) -> float:
        """From before the POST to the answer of one GET, which waits for the read model."""
        started = perf_counter()
        customer_id, position = await self._send()
        if position not in await self._positions(customer_id, f"&min_position={position}"):
            raise RuntimeError(f"position {position} was waited for in vain")
        return perf_counter() - started

    async def until_in_table(self) -> float:
        """From the POST's answer, which follows the commit, to the row of the read model."""
        customer_id, position = await self._send()
        committed = perf_counter()
        while perf_counter() - committed < GIVE_UP_S:
            found = await self._connection.execute(
                self._find, (customer_id, position), prepare=True
            )
            if found.rowcount:
                return perf_counter() - committed
        raise RuntimeError(f"position {position} is in no table after {GIVE_UP_S:.0f} s")

    async def _positions(self, customer_id: str, more: str = "") -> list[int]:
        """The newest entry's position; none while the timeline cannot be had."""
        path = f"{self._url}/v1/customers/{customer_id}/timeline?limit=1{more}"
        async with self._client.get(path) as answer:
            page = await answer.json()
            return [entry["position"] for entry in page["items"]] if answer.ok else []

    async def _send(self) -> tuple[str, int]:
        event: dict[str, Any] = self._crowd.sent_event()
        # It happens now, and so stands first on its timeline.
        del event["occurred_at"]
        event["customer_id"] = customer_id = f"watched-{next(self._numbers) % CUSTOMERS}"
        async with self._client.post(f"{self._url}/v1/events", json=event) as answer:
            return customer_id, (await answer.json())["position"]


@asynccontextmanager
async def _watch(server: Server, database: Database) -> AsyncIterator[_Watch]:
    headers = {"Authorization": server.authorization}
    async with (
        ClientSession(headers=headers) as client,
        await database.connect() as connection,
    ):
        yield _Watch(server.url, client, connection)
