"""Real PostgreSQL servers, one a version under test, and a fresh store on them for each test."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.embedded.server import EmbeddedPostgres
from app.eventstore.database import Database
from app.migrate import upgrade

TEMPLATE = "template_store"

# Nothing here outlives a crash of the machine. What a killed server keeps, it keeps without it;
# `make faults` waits for the disk as users' servers do.
NEVER_WAITING = {} if os.environ.get("TIDINGS_TEST_FAULTS") == "full" else {"fsync": "off"}

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """A running server; its store template is migrated once and copied for each test."""

    dsn: str
    bin_dir: Path | None = None
    """The programs that it was started with, where they are not those of the wheel."""

    def url(self, dbname: str) -> str:
        return psycopg.conninfo.make_conninfo(self.dsn, dbname=dbname)

    def database(self, dbname: str) -> Database:
        return Database(self.url(dbname), accept_data_loss=True)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _servers() -> list[object]:
    servers: list[object] = [pytest.param(18, id="postgres18"), pytest.param(16, id="postgres16")]
    if given := os.environ.get("TIDINGS_TEST_POSTGRES_BIN"):
        servers.append(pytest.param(Path(given), id="system-postgres"))
    return servers


on_one_server = pytest.mark.parametrize(
    "server", [pytest.param(18, id="postgres18")], indirect=True
)
"""For what stands above the SQL, whose queries others ask of every server."""


def pytest_report_header() -> str:
    """Which PostgreSQL the tests run on beside the embedded ones."""
    given = os.environ.get("TIDINGS_TEST_POSTGRES_BIN")
    return f"PostgreSQL: the embedded 18 and 16, {given or 'no other (TIDINGS_TEST_POSTGRES_BIN)'}"


@pytest.fixture(scope="session", params=_servers())
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server of each version."""
    chosen = request.param
    where: dict[str, Any] = {"bin_dir": chosen} if isinstance(chosen, Path) else {"major": chosen}
    folder = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(folder, settings=NEVER_WAITING, **where) as postgres:
        running = Server(postgres.dsn, where.get("bin_dir"))
        running.execute(f"CREATE DATABASE {TEMPLATE}")
        upgrade(running.database(TEMPLATE))
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A migrated, empty store of the test's own."""
    name = f"store_{next(_numbers)}"
    # File by file: through the WAL it takes longer to make, and to drop.
    server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield server.database(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
