"""Backtests: how many events of a log a simple rule is tried on a second."""

from statistics import median
from time import perf_counter

import msgspec

from app.catalogue import CATALOGUE, CODEC
from app.engagement.backtest import Backtests
from app.engagement.backtested import (
    Asked,
    Period,
    Summary,
)
from app.engagement.commands import CALLABLE
from app.engagement.rule import Rule
from app.engagement.rules import Rules
from app.engagement.shapes import EventShapes
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.eventstore.scanning import Scan
from app.kernel.sensitive import SensitiveFields
from app.modules.templates.saved import Templates
from benchmarks.bench import Bench
from benchmarks.filled import FIRST_INSTANT, fill
from benchmarks.reactions import POLL
from benchmarks.report import Row, Section
from benchmarks.sample import TYPES

TARGET_EVENTS_PER_S = 50_000

_SEND = {"do": "send", "kind": "news", "text": "Hello"}
_LIMITS = {"consent": False, "re_entry": {"at_most": 1_000}}


async def measure(bench: Bench) -> Section:
    """On a log that is as long as the run is large, in one process beside PostgreSQL."""
    database = bench.store("backtest")
    fill(bench, database, bench.size.log_events)
    rows = [
        await _row(bench, database, "a condition on one type", _simple(), TARGET_EVENTS_PER_S),
        await _row(bench, database, "an absence, whose goal is each type", _absence()),
    ]
    bench.drop(database)
    return Section("Backtests", rows)


def _simple() -> Rule:
    """Of every type there is, one in so many events."""
    trigger = {"event": TYPES[0], "where": "event.data.price.amount > 90000"}
    return msgspec.convert({"trigger": trigger, "steps": [_SEND], "limits": _LIMITS}, Rule)


def _absence() -> Rule:
    """It looks at every event."""
    others = [{"event": event_type} for event_type in TYPES[1:]]
    pattern = {"is": "absence", "of": others, "within": "1h"}
    return msgspec.convert(
        {
            "trigger": {"event": TYPES[0]},
            "pattern": pattern,
            "steps": [_SEND],
            "limits": _LIMITS,
        },
        Rule,
    )


async def _row(
    bench: Bench, database: Database, what: str, rule: Rule, target: float | None = None
) -> Row:
    rates, looked_at = [], 0
    for _ in range(bench.size.log_rounds):
        started = perf_counter()
        summary = await _tested(database, rule)
        rates.append(bench.size.log_events / (perf_counter() - started))
        looked_at = summary.events
        if not summary.tested.outcomes.get("acted") or "failed" in summary.tested.outcomes:
            raise RuntimeError(f"the rule has not acted as it should: {summary.tested.outcomes}")
    rate = median(rates)
    return Row(
        f"backtest, {bench.size.log_events:,} events, {looked_at:,} of them looked at: {what}",
        f"{rate:,.0f} events/s",
        target="" if target is None else f"≥ {target:,.0f} events/s",
        reached=None if target is None else rate >= target,
    )


async def _tested(database: Database, rule: Rule) -> Summary:
    shapes = EventShapes(CATALOGUE, SensitiveFields(), lambda _event_type: None)
    async with opened_store(database, poll_interval=POLL) as store:
        rules = Rules(store, CODEC, shapes, CALLABLE, Templates(store, CODEC).has)
        period = Period(FIRST_INSTANT, await store.now())
        backtests = Backtests(store, CODEC, Scan(store.pool), rules)
        backtest = await backtests.of("greet", Asked(period, rule=rule))
        async for told in backtest.run():
            if isinstance(told, Summary):
                return told
    raise RuntimeError("a backtest ends with its summary")
