"""Migrations beside other sessions: they take turns, and wait for nobody's lock for long."""

from dataclasses import replace

import psycopg
import pytest

from app.eventstore.database import Database
from app.kernel.errors import StoreUnavailable
from app.migrate import MigrationRefused, upgrade
from tests.integration.embedded_owner import eventually
from tests.migrations.alembic_command import finished, start_alembic
from tests.migrations.catalog import everything_in, execute, tables_of

# Slow ones.
on_one_server = pytest.mark.parametrize(
    "server", [pytest.param(18, id="postgres18")], indirect=True
)

TURN = "pg_advisory_xact_lock(hashtextextended('migrate', 0))"


@on_one_server
def test_processes_that_migrate_at_once_take_turns(empty_database: Database) -> None:
    other = replace(empty_database, schema="other")
    with psycopg.connect(empty_database.conninfo()) as turn:
        turn.execute(f"SELECT {TURN}")
        processes = [start_alembic(store, "upgrade", "head") for store in [empty_database] * 2]
        processes.append(start_alembic(other, "upgrade", "head"))
        assert eventually(lambda: _waiting(empty_database) == len(processes))
        turn.rollback()
    assert [finished(process) for process in processes] == [(0, "")] * len(processes)

    assert tables_of(empty_database) == tables_of(other)
    for store in (empty_database, other):
        assert execute(store, "SELECT count(*) FROM alembic_version") == [(1,)]
        assert execute(store, "SELECT count(*) FROM clock") == [(1,)]


def _waiting(database: Database) -> int:
    rows = execute(
        database,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    waiting: int = rows[0][0]
    return waiting


@on_one_server
def test_a_migration_that_cannot_get_a_lock_gives_up_in_one_line_and_changes_nothing(
    database: Database,
) -> None:
    before = everything_in(database)
    with psycopg.connect(database.conninfo()) as somebody:
        somebody.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(MigrationRefused, match="lock") as refused:
            upgrade(database)
    assert "\n" not in str(refused.value)
    assert everything_in(database) == before
    upgrade(database)


def test_a_server_that_is_not_there_is_named_in_one_line() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        upgrade(Database("postgresql://127.0.0.1:1/nowhere"))
    assert "\n" not in str(refused.value)


def test_a_user_who_may_not_migrate_is_told_so_in_one_line(empty_database: Database) -> None:
    execute(empty_database, "DROP ROLE IF EXISTS guest_of_migrations")
    execute(empty_database, "CREATE ROLE guest_of_migrations LOGIN")
    guest = replace(
        empty_database,
        url=psycopg.conninfo.make_conninfo(empty_database.url, user="guest_of_migrations"),
    )
    with pytest.raises(MigrationRefused, match="permission denied") as refused:
        upgrade(guest)
    assert "\n" not in str(refused.value)
