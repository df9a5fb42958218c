"""Read models: rebuilding one from a long log, and catching up with it."""

from datetime import timedelta
from itertools import count
from time import perf_counter

from psycopg.sql import SQL, Identifier

from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.database import Database
from benchmarks.bench import Bench
from benchmarks.filled import fill
from benchmarks.report import Section, compared
from benchmarks.rounds import side_by_side
from projections.generations import make_first
from projections.rebuild import rebuild
from projections.session import Log
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
    models = _Models(bench, database)
    async with await models.log.connect() as connection:
        await make_first(connection, [TIMELINE])
    events = f"{bench.size.log_events:,} events"
    name, against = f"rebuild of timeline, {events}", "bare INSERT … SELECT, same rows and indexes"
    rates = await side_by_side(
        {name: models.rate_of_rebuild, against: models.rate_of_bare_insert},
        rounds=bench.size.log_rounds,
    )
    return Section("Read models", [compared(rates, name, against, target=TARGET_OF_REBUILD)])


class _Models:
    def __init__(self, bench: Bench, database: Database) -> None:
        self._bench = bench
        self._database = database
        self._numbers = count(1)
        self.log = Log(database, CATALOGUE, UPCASTERS)

    async def rate_of_rebuild(self) -> float:
        """Events a second: from the empty tables to those that queries read."""
        started = perf_counter()
        await rebuild(self.log, TIMELINE, drop_old=True, handover=timedelta(0))
        return self._bench.size.log_events / (perf_counter() - started)

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
