"""What every section works with: the one server, stores on it, and how long to measure."""

from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Database
from app.migrate import upgrade


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    store_seconds: float
    function_events: int
    """Of a round, at the largest groups; smaller groups take fewer."""
    http_rounds: int
    http_seconds: int
    import_rounds: int
    import_events: int
    latency_events: int
    log_events: int
    log_rounds: int
    peer_events: int
    """What a runner gets that does an event at a time."""
    lag_seconds: float
    reaction_events: int
    growth_events: tuple[int, ...]
    growth_rounds: int
    growth_queries: int


FULL = Size(
    rounds=9,
    store_seconds=0.8,
    function_events=20_000,
    http_rounds=9,
    http_seconds=2,
    import_rounds=5,
    import_events=100_000,
    latency_events=500,
    log_events=1_000_000,
    log_rounds=3,
    peer_events=5_000,
    lag_seconds=20,
    reaction_events=10_000,
    growth_events=(10_000, 100_000, 1_000_000),
    growth_rounds=3,
    growth_queries=500,
)
QUICK = Size(
    rounds=3,
    store_seconds=0.3,
    function_events=4_000,
    http_rounds=3,
    http_seconds=1,
    import_rounds=1,
    import_events=20_000,
    latency_events=60,
    log_events=300_000,
    log_rounds=1,
    peer_events=2_000,
    lag_seconds=4,
    reaction_events=3_000,
    growth_events=(10_000, 100_000),
    growth_rounds=1,
    growth_queries=200,
)
LARGE = replace(FULL, growth_events=(*FULL.growth_events, 10_000_000), growth_rounds=1)


@dataclass(frozen=True)
class Bench:
    """One run: everything on one server, durable as it is by default."""

    url: str
    directory: Path
    """For whatever files a section needs; it goes with the run."""
    size: Size

    def warm_up(self) -> None:
        """Bring the server to the state in which it spends its life.

        One that was just made has each page of its buffers given by the system when it is first
        touched, and fills each WAL file with zeros before it writes there; later they are used
        again. Whoever is measured first would pay for that.
        """
        table = Identifier("warm_up")
        self.execute(
            SQL("CREATE TABLE {} (filler text STORAGE PLAIN)").format(table),
            SQL(
                "INSERT INTO {} SELECT repeat(md5(n::text), 200) FROM generate_series(1, 160000) n"
            ).format(table),
            SQL("CHECKPOINT").format(),
            SQL("DROP TABLE {}").format(table),
        )

    def store(self, schema: str) -> Database:
        """A fresh store."""
        database = Database(self.url, schema)
        upgrade(database)
        return database

    def plain_table(self, schema: str, like: Database) -> Database:
        """A fresh table with the log's columns, checks and indexes, and nothing of the store."""
        self.execute(
            SQL("CREATE SCHEMA {}").format(Identifier(schema)),
            SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                Identifier(schema, "events"), Identifier(like.schema, "events")
            ),
        )
        return Database(self.url, schema)

    def drop(self, *databases: Database) -> None:
        """Remove stores that a later round would only drag along."""
        for database in databases:
            self.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(database.schema)))

    def execute(self, *statements: psycopg.sql.Composed) -> None:
        """Run statements, each by itself."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
