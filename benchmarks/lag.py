"""How far read models are behind the log, in time, while events come at a steady pace.

Somebody looks again and again where the log ends and how far the read models have come: one
statement, which sees both at one moment, for rows and checkpoint are committed together. An event's
lag is counted from before the last look that did not see it to after the first that finds it in the
read model: it is at most that. What it is too long by is two looks and pauses, a few milliseconds
on a machine that is busy.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import LiteralString, NamedTuple

from app.eventstore.database import Connection
from benchmarks.bench import Bench
from benchmarks.processes import projector, running
from benchmarks.report import Row, Section, percentiles_ms
from projections.registry import PROJECTIONS
from projections.timeline import TIMELINE

EVENTS_PER_SECOND = 1_000
WARM_UP_S = 1.0
START_LIMIT_S = 60.0
PAUSE_S = 0.0005
_START_POLL_S = 0.05

_LOOK = """
SELECT (SELECT coalesce(max(position), 0) FROM events),
    (SELECT min(position) FROM checkpoints WHERE consumer = %(timeline)s),
    (SELECT min(position) FROM checkpoints)
"""
_ALL_MADE = "SELECT count(DISTINCT consumer) = %(models)s FROM checkpoints"
_EVENTS_COME = "SELECT EXISTS (SELECT FROM events)"
_VALUES = {"timeline": TIMELINE.generation(1).name, "models": len(PROJECTIONS)}


class _Look(NamedTuple):
    asked_s: float
    answered_s: float
    head: int
    timeline: int
    hindmost: int
    """Of all read models, the one that is furthest behind."""


async def measure(bench: Bench) -> Section:
    """Load, projector and PostgreSQL as processes of their own."""
    database = bench.store("lag")
    load = ["-m", "benchmarks.steady_appends", database.url, database.schema]
    async with AsyncExitStack() as stack:
        stack.enter_context(projector(bench, database))
        connection = await stack.enter_async_context(await database.connect())
        await _until(connection, _ALL_MADE)
        stack.enter_context(running(bench, [*load, str(EVENTS_PER_SECOND)]))
        await _until(connection, _EVENTS_COME)
        await _looks(connection, WARM_UP_S)
        looks = await _looks(connection, bench.size.lag_seconds)
    return Section("Lag under a steady load", _rows(looks))


async def _until(connection: Connection, condition: LiteralString) -> None:
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            row = await (await connection.execute(condition, _VALUES)).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(_START_POLL_S)


async def _looks(connection: Connection, duration_s: float) -> list[_Look]:
    looks: list[_Look] = []
    end = perf_counter() + duration_s
    while perf_counter() < end:
        asked_s = perf_counter()
        cursor = await connection.execute(_LOOK, _VALUES, prepare=True)
        row = await cursor.fetchone()
        assert row
        looks.append(_Look(asked_s, perf_counter(), *row))
        await asyncio.sleep(PAUSE_S)
    return looks


def _rows(looks: Sequence[_Look]) -> list[Row]:
    seconds = looks[-1].answered_s - looks[0].answered_s
    pace = f"{(looks[-1].head - looks[0].head) / seconds:,.0f} events/s"
    return [
        _row(f"commit until the timeline has it, {pace}", _lags_ms(looks, "timeline")),
        _row(f"commit until all read models have it, {pace}", _lags_ms(looks, "hindmost")),
    ]


def _lags_ms(looks: Sequence[_Look], model: str) -> list[float]:
    """The lag of each event that both came and was worked on while somebody looked."""
    heads = [look.head for look in looks]
    reached = [getattr(look, model) for look in looks]
    lags_ms = []
    for position in range(heads[0] + 1, reached[-1] + 1):
        not_yet_there = looks[bisect_left(heads, position) - 1]
        found = looks[bisect_left(reached, position)]
        lags_ms.append((found.answered_s - not_yet_there.asked_s) * 1000)
    return lags_ms


def _row(what: str, lags_ms: Sequence[float]) -> Row:
    if len(lags_ms) < 2:
        raise RuntimeError("the load did not come, or the projector does not run")
    return Row(what, percentiles_ms(lags_ms))
