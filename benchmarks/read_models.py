"""Read models: rebuilding one from a long log, and catching up with it.

Beside both stands the statement that writes the timeline's rows into a table with its indexes, and
does nothing else: no read model can be made faster.
"""

from datetime import timedelta
from functools import partial
from itertools import count
from time import perf_counter

from psycopg.sql import SQL, Identifier

from app.eventstore.database import Database
from benchmarks.against_eventsourcing import rows as rows_of_peer
from benchmarks.bench import Bench
from benchmarks.caught_up import drop_all, log_of, rate_of_catch_up
from benchmarks.filled import fill
from benchmarks.report import Row, Section, compared
from benchmarks.rounds import side_by_side
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.timeline import TIMELINE

TARGET_OF_REBUILD = 0.7

_BARE = """
INSERT INTO {table} (
    position, event_id, stream, version, type, kind, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT position, event_id, stream, version, type, 'activity', schema_version, customer_id, data,
    metadata, occurred_at, recorded_at
FROM events ORDER BY position
"""


async def measure(bench: Bench) -> Section:
    """On a log that is as long as the run is large."""
    database = bench.store("read_models")
    fill(bench, database, bench.size.log_events)
    rows = [*await _beside_bare_insert(bench, database), *await rows_of_peer(bench, database)]
    bench.drop(database)
    return Section("Read models", rows)


async def _beside_bare_insert(bench: Bench, database: Database) -> list[Row]:
    events = bench.size.log_events
    models = _Bare(bench, database)
    rebuilt = f"rebuild of timeline, {events:,} events"
    caught_up = f"catch-up of all projections, {events:,} events"
    against = "bare INSERT … SELECT, same rows and indexes"
    rates = await side_by_side(
        {
            caught_up: partial(rate_of_catch_up, database, PROJECTIONS, events),
            rebuilt: partial(rate_of_rebuild, database, events),
            against: models.rate_of_bare_insert,
        },
        rounds=bench.size.log_rounds,
    )
    return [
        compared(rates, rebuilt, against, target=TARGET_OF_REBUILD),
        compared(rates, caught_up, against),
    ]


async def rate_of_rebuild(database: Database, events: int) -> float:
    """Events a second: from the empty tables to those that queries read.

    What was there before is dropped before: that waits for an autovacuum, if one is at it.
    """
    log = log_of(database)
    async with await log.connect() as connection:
        await drop_all(connection)
    started = perf_counter()
    await rebuild(log, TIMELINE, handover=timedelta(0))
    return events / (perf_counter() - started)


class _Bare:
    def __init__(self, bench: Bench, database: Database) -> None:
        self._bench = bench
        self._database = database
        self._numbers = count(1)

    async def rate_of_bare_insert(self) -> float:
        """Rows a second."""
        table = Identifier(f"bare_{next(self._numbers)}")
        live = await self._live()
        async with await self._database.connect() as connection:
            await connection.execute(
                SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(table, Identifier(live))
            )
            started = perf_counter()
            await connection.execute(SQL(_BARE).format(table=table))
            elapsed_s = perf_counter() - started
            await connection.execute(SQL("DROP TABLE {}").format(table))
        return self._bench.size.log_events / elapsed_s

    async def _live(self) -> str:
        async with await self._database.connect() as connection:
            cursor = await connection.execute(
                "SELECT max(generation) FROM projection_pointers WHERE name = 'timeline'"
            )
            row = await cursor.fetchone()
        return f"timeline_g{row[0]}" if row else ""
