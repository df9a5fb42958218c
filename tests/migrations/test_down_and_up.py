"""Migrations can be undone, and done again."""

from dataclasses import replace

import pytest

from app.eventstore.database import Database
from app.migrate import MigrationRefused, upgrade
from tests.migrations.catalog import downgrade, everything_in, execute, functions_of, tables_of

ALEMBICS_OWN = {
    "relation alembic_version",
    "relation alembic_version_pkc",
    "type alembic_version",
    "type _alembic_version",
}


def test_going_down_leaves_nothing_behind_and_going_up_again_makes_the_same(
    database: Database,
) -> None:
    before = tables_of(database), functions_of(database), everything_in(database)
    downgrade(database)
    assert everything_in(database) == ALEMBICS_OWN
    assert execute(database, "SELECT * FROM alembic_version") == []

    upgrade(database)
    assert (tables_of(database), functions_of(database), everything_in(database)) == before


def test_going_down_takes_recorded_events_and_read_models_along(database: Database) -> None:
    execute(
        database,
        "INSERT INTO events VALUES (1, gen_random_uuid(), 'order-1', 1, 'x', 1, NULL, '{}', '{}',"
        " now(), now())",
    )
    execute(database, "CREATE TABLE timeline_g1 (position bigint PRIMARY KEY)")
    execute(database, "CREATE INDEX timeline_g1_newest ON timeline_g1 (position DESC)")
    execute(database, "CREATE TABLE customers_g12 (id text PRIMARY KEY)")
    downgrade(database)
    assert everything_in(database) == ALEMBICS_OWN

    upgrade(database)
    assert execute(database, "SELECT * FROM events") == []


def test_going_down_leaves_the_store_of_another_schema_alone(database: Database) -> None:
    other = replace(database, schema="other")
    upgrade(other)
    execute(other, "CREATE TABLE timeline_g1 (position bigint PRIMARY KEY)")
    before = everything_in(other)
    downgrade(database)
    assert everything_in(other) == before


def test_upgrading_what_is_up_to_date_changes_nothing(database: Database) -> None:
    before = tables_of(database), everything_in(database)
    upgrade(database)
    assert (tables_of(database), everything_in(database)) == before


def test_a_store_that_newer_code_has_migrated_is_refused_unchanged(database: Database) -> None:
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    execute(
        database,
        "CREATE OR REPLACE FUNCTION log_channel() RETURNS text LANGUAGE sql STABLE"
        " AS $$ SELECT 'the newer one' $$",
    )
    with pytest.raises(MigrationRefused, match="9999") as refused:
        upgrade(database)
    assert "\n" not in str(refused.value)
    assert execute(database, "SELECT log_channel()") == [("the newer one",)]
