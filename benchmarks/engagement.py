"""The engine: how many events it works off by how many rules, how soon it decides, its memory."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Raw

from app.catalogue import CODEC
from app.engagement.engine import CONSUMER
from app.engagement.events import RuleSaved, RuleWentLive
from app.engagement.rule import Rule
from app.eventstore.checkpoints import ensure_checkpoints
from app.eventstore.codec import encode_metadata
from app.eventstore.database import Connection, Database, rows_of
from app.eventstore.port import Append, EventStore, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.kernel.event import Metadata, NewEvent
from app.kernel.ids import new_event_id, stream_name
from benchmarks.backlog import head_of, rate_of_backlog, until_at
from benchmarks.bench import Bench
from benchmarks.processes import reactor
from benchmarks.report import Row, Section, compared, percentiles_ms
from benchmarks.rounds import Contender, side_by_side

RULES = (1, 10, 100, 1_000)
CUSTOMERS = 2_000
ONE_ACTS_IN = 10
MANY_RULES = 10_000
EVENTS_PER_SECOND = 100
POLL = timedelta(seconds=1)

_METADATA = encode_metadata(Metadata(source="default"))
_LAGS = """
SELECT 1000 * extract(epoch FROM decision.recorded_at - cause.recorded_at)::float8
FROM events AS decision
JOIN events AS cause ON cause.event_id = (decision.metadata ->> 'causation_id')::uuid
WHERE decision.type = 'decision.made'
"""
_DECIDED = "SELECT count(*) FROM events WHERE type = 'decision.made' AND position > %s"


async def measure(bench: Bench) -> Section:
    """The reactor's process, in which the engine runs, and PostgreSQL beside it."""
    rows = [*await _throughput(bench), await _latency(bench), await _memory(bench)]
    return Section("Engagement", rows)


async def _throughput(bench: Bench) -> list[Row]:
    """Of a log that is there when the engine comes; one event in ten makes a rule act."""
    async with AsyncExitStack() as stack:
        contenders: dict[str, Contender] = {}
        for count in RULES:
            database = bench.store(f"rules_{count}")
            store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
            connection = await stack.enter_async_context(await database.connect())
            await _append(store, _rules(count))
            await ensure_checkpoints(connection, CONSUMER, position=await head_of(connection))
            contenders[_named(count)] = partial(_rate, bench, database, store, connection)
        rates = await side_by_side(contenders, rounds=bench.size.log_rounds)
    one = _named(RULES[0])
    first = Row(one, f"{rates.median(one):,.0f}/s")
    return [first, *(compared(rates, name, one) for name in contenders if name != one)]


def _named(count: int) -> str:
    rules = f"{count:,} live rules, one of which looks" if count > 1 else "1 live rule, which looks"
    return f"events worked off, {rules} at them"


async def _rate(
    bench: Bench, database: Database, store: PostgresEventStore, connection: Connection
) -> float:
    """Events a second, each tenth of which is decided on."""
    before = await head_of(connection)
    views = _views(bench.size.reaction_events, CUSTOMERS)
    fill = partial(_append, store, views)
    rate = await rate_of_backlog(bench, database, connection, CONSUMER, fill)
    ((decided,),) = await rows_of(connection, _DECIDED, (before,))
    if decided != bench.size.reaction_events // ONE_ACTS_IN:
        raise RuntimeError("the rule has not acted on each event that it was to act on")
    return rate


async def _latency(bench: Bench) -> Row:
    """Each event makes a rule act."""
    database = bench.store("decided")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
        connection = await stack.enter_async_context(await database.connect())
        await _append(store, _rules(1))
        stack.enter_context(reactor(bench, database))
        await until_at(connection, CONSUMER, 0)
        pause_s = 1 / EVENTS_PER_SECOND
        for view in _views(int(bench.size.lag_seconds * EVENTS_PER_SECOND), CUSTOMERS, every=1):
            await _append(store, iter([view]))
            await asyncio.sleep(pause_s)
        await until_at(connection, CONSUMER, await head_of(connection))
        lags_ms = [lag for (lag,) in await rows_of(connection, _LAGS, ())]
    return Row(
        f"event until its decision is recorded, {EVENTS_PER_SECOND} a second",
        percentiles_ms(lags_ms),
    )


async def _memory(bench: Bench) -> Row:
    """Of the process, when it has decided on a first event of each customer."""
    database, customers = bench.store("many"), 10 * bench.size.reaction_events
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
        connection = await stack.enter_async_context(await database.connect())
        with reactor(bench, database) as process:
            await until_at(connection, CONSUMER, 0)
            empty = _resident_mb(process.pid)
        await _append(store, _rules(MANY_RULES))
        await rows_of(
            connection,
            "UPDATE checkpoints SET position = %s RETURNING 1",
            (await head_of(connection),),
        )
        await _append(store, _views(customers, customers, every=1))
        with reactor(bench, database) as process:
            await until_at(connection, CONSUMER, await head_of(connection))
            full = _resident_mb(process.pid)
    what = f"memory, {MANY_RULES:,} live rules, {customers:,} customers of whom something is kept"
    return Row(what, f"{full:,.0f} MB", "without any", f"{empty:,.0f} MB", f"{full / empty:.2f}")


def _rules(count: int) -> Iterator[Append]:
    """Rules of which the first looks at views, and keeps when it began; others at other types."""
    for number in range(count):
        rule = msgspec.convert(
            {
                "trigger": {
                    "event": "Viewed" if number == 0 else f"Seen {number}",
                    "where": "event.data.amount > 9",
                },
                "steps": [{"do": "send", "kind": "news", "text": "Hello"}],
                "limits": {"consent": False, "re_entry": {"at_most": 1_000}},
            },
            Rule,
        )
        events = (RuleSaved(1, rule), RuleWentLive(1))
        new = tuple(
            NewEvent(new_event_id(), event.tag, CODEC.encode(event), _METADATA) for event in events
        )
        yield Append((StreamAppend(stream_name("rule", f"rule-{number}"), new),))


def _views(count: int, customers: int, *, every: int = ONE_ACTS_IN) -> Iterator[Append]:
    """Events of customers in turn; one in `every` makes the first rule act."""
    for number in range(count):
        customer_id = f"c-{number * 7 % customers}"
        data = Raw(msgspec.json.encode({"amount": 10 if number % every == 0 else 1, "page": "/"}))
        event = NewEvent(new_event_id(), "Viewed", data, _METADATA, customer_id=customer_id)
        yield Append((StreamAppend(stream_name("activity", customer_id), (event,)),))


async def _append(store: EventStore, appends: Iterator[Append]) -> None:
    for some in batched(appends, 1_000):
        for appended in await store.append_many(some):
            if isinstance(appended, Exception):
                raise appended


def batched(appends: Iterator[Append], size: int) -> Iterator[list[Append]]:
    """So many at a time."""
    while some := list(islice(appends, size)):
        yield some


def _resident_mb(pid: int) -> float:
    """As the kernel says it."""
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024
