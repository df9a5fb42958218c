"""Bring a store's schema to this code's version."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

import migrations
from app.eventstore.database import Database
from app.kernel.errors import TidingsError
from app.settings import read_settings

_SCRIPTS = Path(migrations.__file__).parent


class MigrationRefused(TidingsError):
    """The schema was not migrated."""


def engine_of(database: Database) -> Engine:
    """A synchronous engine on the store, for alembic."""
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database.conninfo()),
        poolclass=NullPool,
    )


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade to a revision. Processes that start at once wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    with engine_of(database).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))"))
        config.attributes |= {"connection": connection, "schema": database.schema}
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise MigrationRefused(str(error)) from error


def check_migrated(database: Database) -> None:
    """Refuse a store whose schema is not at this code's version, with what to do about it."""
    head = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    with engine_of(database).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table_schema": database.schema}
        )
        current = context.get_current_revision()
    if current != head:
        raise MigrationRefused(
            f"the store {database.schema!r} is at version {current or 'none'} and this program "
            f"needs {head}: run `tidings migrate`"
        )


@contextmanager
def opened_store() -> Iterator[tuple[Engine, str]]:
    """The store of the settings, its PostgreSQL running for the time of the block."""
    from app.bootstrap import running_database  # noqa: PLC0415 - bootstrap imports this module

    with running_database(read_settings(os.environ)) as database:
        yield engine_of(database), database.schema
