"""Alembic's entry: the store that the TIDINGS_* settings name, in its own schema."""

import re
from typing import Any

from alembic import context
from sqlalchemy import Connection, text

from app.eventstore import tables as store_tables
from app.eventstore.database import function_definitions
from app.migrate import engine_of
from app.running import running_database
from app.settings import read_settings
from projections import tables as projection_tables

LOCK_TIMEOUT_MS = 5_000
"""A migration that waits longer for a lock gives up, so that nobody queues behind it for long."""

TURN_TIMEOUT_MS = 60_000
"""How long one migration waits for another one to end."""

TARGET = [store_tables.metadata, projection_tables.metadata]

_GENERATION_TABLE = re.compile(r".+_g\d+")


def _is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
    """The tables of generations are the projections' business, and so are their indexes."""
    return not (kind == "table" and reflected and name and _GENERATION_TABLE.fullmatch(name))


def migrate(connection: Connection, schema: str) -> None:
    """Run what alembic was asked for, in one transaction, with the functions as this code has them.

    Functions are code: each run replaces them all, so only tables need versions.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {TURN_TIMEOUT_MS}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))"))
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    # Only when it is missing: making one takes a privilege on the database that not everybody has.
    if not connection.execute(text("SELECT to_regnamespace(:name)"), {"name": schema}).scalar():
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text("SET LOCAL check_function_bodies = off"))
    psycopg_connection = connection.connection.driver_connection
    assert psycopg_connection is not None  # noqa: S101 - for the type checker: it is open
    for definition in function_definitions():
        psycopg_connection.execute(definition)
    context.configure(
        connection=connection,
        target_metadata=TARGET,
        include_object=_is_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    """Use the connection given by `tidings migrate` and the tests, else open one."""
    if context.is_offline_mode():
        raise SystemExit("migrations run against a server; there is no offline mode")
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given, context.config.attributes["schema"])
        return
    with running_database(read_settings()) as database, engine_of(database).begin() as connection:
        migrate(connection, database.schema)


run()
