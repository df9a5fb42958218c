"""A server that could lose what it has acknowledged is refused."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app.embedded import EmbeddedPostgres
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.kernel.errors import UnsafeServer
from app.migrate import upgrade
from tests.controls.events import an_append
from tests.fixtures.clusters import copy_cluster
from tests.integration.eventstore.sessions import session

pytestmark = pytest.mark.anyio

POLL = timedelta(seconds=5)


@contextmanager
def store_on_a_server(folder: Path, settings: Mapping[str, str]) -> Iterator[Database]:
    """A migrated store on a server like the users', with some settings of its own."""
    data_dir = folder / "data"
    copy_cluster(data_dir)
    with EmbeddedPostgres(data_dir, settings=settings) as postgres:
        database = Database(postgres.dsn)
        upgrade(database)
        yield database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with store_on_a_server(tmp_path, {}) as database:
        yield database


async def is_refused_for(setting: str, database: Database) -> None:
    with pytest.raises(UnsafeServer, match=f"has {setting} off .*TIDINGS_ACCEPT_DATA_LOSS"):
        async with opened_store(database, poll_interval=POLL):
            pass
    accepted = Database(database.url, database.schema, accept_data_loss=True)
    async with opened_store(accepted, poll_interval=POLL) as store:
        await store.append(an_append())


async def test_a_server_that_does_not_wait_for_its_disk_is_refused(database: Database) -> None:
    with session(database) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off")
    await is_refused_for("synchronous_commit", database)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_a_crash_could_damage_is_refused(tmp_path: Path, setting: str) -> None:
    with store_on_a_server(tmp_path, {setting: "off"}) as database:
        await is_refused_for(setting, database)


async def test_the_server_is_looked_at_again_after_a_reconnect(database: Database) -> None:
    """It may be another one, or one whose settings were changed in the meantime."""
    async with opened_store(database, poll_interval=POLL) as store:
        await store.append(an_append())
        with session(database) as connection:
            connection.execute(
                f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off"
            )
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tidings append' AND datname = current_database()"
            )
        with pytest.raises(UnsafeServer):
            await store.append(an_append())
