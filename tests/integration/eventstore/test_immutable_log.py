"""What is recorded is never changed: by privilege, and by trigger where that is no bar."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.migrate import upgrade
from tests.controls.events import an_append, an_event
from tests.integration.conftest import Server
from tests.integration.eventstore.sessions import append_events, log_of, session

CHANGES = {
    "update": "UPDATE events SET data = '{}'",
    "update_nothing_new": "UPDATE events SET position = position",
    "delete": "DELETE FROM events",
    "truncate": "TRUNCATE events",
    "truncate_in_passing": "TRUNCATE checkpoints, events",
    "upsert": "INSERT INTO events SELECT * FROM events"
    " ON CONFLICT (position) DO UPDATE SET data = '{}'",
    "merge": "MERGE INTO events e USING events f ON e.position = f.position"
    " WHEN MATCHED THEN DELETE",
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def owned(server: Server, database: Database) -> Iterator[Database]:
    """A store that an ordinary role has migrated and owns."""
    with session(database) as connection:
        connection.execute("CREATE ROLE shopkeeper LOGIN NOSUPERUSER")
        connection.execute(f"GRANT CREATE ON DATABASE {connection.info.dbname} TO shopkeeper")
    url = psycopg.conninfo.make_conninfo(database.url, user="shopkeeper")
    store = replace(database, url=url, schema="shop")
    upgrade(store)
    yield store
    with session(database) as connection:
        connection.execute("DROP OWNED BY shopkeeper CASCADE")
        connection.execute("DROP ROLE shopkeeper")


@changes
def test_not_even_a_superuser_changes_the_log(database: Database, change: str) -> None:
    with session(database) as connection:
        append_events(connection, an_append("order-1", an_event(), an_event()))
        before = log_of(database)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or removed"):
            connection.execute(change.encode())
    assert log_of(database) == before


@changes
def test_the_owner_of_the_log_has_no_privilege_to_change_it(owned: Database, change: str) -> None:
    with session(owned) as connection:
        append_events(connection, an_append("order-1", an_event(), an_event()))
        before = log_of(owned)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            connection.execute(change.encode())
    assert log_of(owned) == before


@pytest.mark.anyio
async def test_an_ordinary_role_runs_a_store(owned: Database) -> None:
    async with opened_store(owned, poll_interval=timedelta(seconds=5)) as store:
        await store.append(an_append("order-1"))
        await store.append(an_append("order-1", expected_version=1))
        assert [event.version for event in await store.read_stream("order-1")] == [1, 2]
