"""The reactor: how soon what follows from an event is recorded, how late timers are, and how many
events it works off.

How soon and how late is read from the log. Both times of a pair are taken while the log's lock is
held, and as long before the commit: the difference is from an event's commit to its reaction's.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from statistics import median
from time import perf_counter

from app.eventstore.checkpoints import ensure_checkpoints
from app.eventstore.database import Connection, rows_of
from app.eventstore.port import Append
from app.eventstore.postgres import opened_store
from app.reactions.reactor import CONSUMER
from benchmarks import rides
from benchmarks.backlog import GIVE_UP_S, head_of, rate_of_backlog, until_at
from benchmarks.bench import Bench
from benchmarks.processes import reactor, running, tidings_server
from benchmarks.report import Row, Section, compared, percentile_99, percentiles_ms
from benchmarks.rounds import Contender, side_by_side

EVENTS_PER_SECOND = 500
TARGET_OF_LAG_MS = 15.0
TIMERS_PER_SECOND = 300
TARGET_OF_LATENESS_MS = 1000.0
TIMERS_SET_PER_SECOND = 500
"""At least: so long before the first is due they are there to be set."""

WARM_UP_S = 3.0
POLL = timedelta(seconds=1)

_LAGS = """
SELECT 1000 * extract(epoch FROM reaction.recorded_at - cause.recorded_at)::float8
FROM events AS reaction
JOIN events AS cause ON cause.event_id = (reaction.metadata ->> 'causation_id')::uuid
WHERE reaction.metadata ->> 'actor' LIKE 'policy:%%'
    AND cause.position > %s AND cause.position <= %s
"""
_LATENESS = """
SELECT 1000 * extract(epoch FROM
    failed.recorded_at - (offered.data ->> 'expires_at')::timestamptz)::float8
FROM events AS failed
JOIN events AS offered ON offered.event_id = (failed.metadata ->> 'causation_id')::uuid
WHERE failed.type = 'ride.offer_failed'
"""
_FAILED = "SELECT count(*) FROM events WHERE type = 'ride.offer_failed'"


async def measure(bench: Bench) -> Section:
    """Load, API, reactor and PostgreSQL as processes of their own."""
    rows = [*await _lags(bench), await _lateness(bench), await _throughput(bench)]
    return Section("Reactions", rows)


async def _lags(bench: Bench) -> list[Row]:
    database = bench.store("reactions")
    async with AsyncExitStack() as stack:
        server = stack.enter_context(tidings_server(bench, database))
        stack.enter_context(reactor(bench, database))
        await server.ready()
        connection = await stack.enter_async_context(await database.connect())
        await until_at(connection, CONSUMER, 0)
        load = ["-m", "benchmarks.steady_business", server.url, server.authorization]
        stack.enter_context(running(bench, [*load, str(EVENTS_PER_SECOND)]))
        await asyncio.sleep(WARM_UP_S)
        alone = await _lag_row(bench, connection, "", TARGET_OF_LAG_MS)
        stack.enter_context(reactor(bench, database))
        await asyncio.sleep(WARM_UP_S)
        return [alone, await _lag_row(bench, connection, ", a second one standing by")]


async def _lag_row(
    bench: Bench, connection: Connection, beside: str, target_ms: float | None = None
) -> Row:
    first, began = await head_of(connection), perf_counter()
    await asyncio.sleep(bench.size.lag_seconds)
    last, seconds = await head_of(connection), perf_counter() - began
    await until_at(connection, CONSUMER, last)
    lags_ms = [lag for (lag,) in await rows_of(connection, _LAGS, (first, last))]
    if len(lags_ms) < bench.size.lag_seconds:
        raise RuntimeError("the load did not come, or the reactor does not run")
    pace = f"{(last - first) / seconds:,.0f} events/s, {len(lags_ms) / seconds:,.0f} of them follow"
    return Row(
        f"event until what follows is recorded, {pace}{beside}",
        percentiles_ms(lags_ms),
        target="" if target_ms is None else f"p50 ≤ {target_ms:g} ms",
        reached=None if target_ms is None else median(lags_ms) <= target_ms,
    )


async def _lateness(bench: Bench) -> Row:
    """Of offers of rides that nobody claims."""
    count = int(bench.size.lag_seconds * TIMERS_PER_SECOND)
    database = bench.store("timers")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
        stack.enter_context(reactor(bench, database))
        connection = await stack.enter_async_context(await database.connect())
        await until_at(connection, CONSUMER, 0)
        ((now,),) = await rows_of(connection, "SELECT clock_now()", ())
        first = now + timedelta(seconds=2 + count / TIMERS_SET_PER_SECOND)
        await rides.append(store, list(rides.expiring_offers(count, first, TIMERS_PER_SECOND)))
        await _until_fired(connection, count)
        lateness_ms = [late for (late,) in await rows_of(connection, _LATENESS, ())]
    if len(lateness_ms) != count or min(lateness_ms) < 0:
        raise RuntimeError("not every timer has fired once, when it was due")
    return Row(
        f"timers, {TIMERS_PER_SECOND} a second: later than due by",
        percentiles_ms(lateness_ms),
        target=f"p99 ≤ {TARGET_OF_LATENESS_MS:g} ms",
        reached=percentile_99(lateness_ms) <= TARGET_OF_LATENESS_MS,
    )


async def _until_fired(connection: Connection, count: int) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while await rows_of(connection, _FAILED, ()) != [(count,)]:  # noqa: ASYNC110 - no event to await
            await asyncio.sleep(0.2)


async def _throughput(bench: Bench) -> Row:
    database = bench.store("reactor")
    events = bench.size.reaction_events
    reactions = "events worked off by one reactor, each leads to a message"
    nothing = "nothing follows from them"
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
        connection = await stack.enter_async_context(await database.connect())
        await ensure_checkpoints(connection, CONSUMER)

        def rate(backlog: list[Append]) -> Awaitable[float]:
            fill = partial(rides.append, store, backlog)
            return rate_of_backlog(bench, database, connection, CONSUMER, fill)

        contenders: dict[str, Contender] = {
            reactions: lambda: rate(list(rides.arrivals(events))),
            nothing: lambda: rate(list(rides.interactions(4 * events))),
        }
        rates = await side_by_side(contenders, rounds=bench.size.log_rounds)
    return compared(rates, reactions, nothing)
