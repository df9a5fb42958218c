"""A server that could lose what it has acknowledged is refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.embedded import EmbeddedPostgres
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.kernel.errors import UnsafeServer
from app.migrate import upgrade
from tests.controls.events import an_append
from tests.integration.eventstore.sessions import session

pytestmark = pytest.mark.anyio

POLL = timedelta(seconds=5)


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


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unsafe")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_a_crash_could_damage_is_refused(data_dir: Path, setting: str) -> None:
    with EmbeddedPostgres(data_dir, settings={setting: "off"}) as postgres:
        database = Database(postgres.dsn)
        upgrade(database)
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
