"""Which server a store is on: the one that the settings name, or the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

import migrations
from app.embedded import EmbeddedPostgres, find_running
from app.eventstore.database import Database, check_server_of, unavailable
from app.kernel.errors import TidingsError
from app.settings import Settings


class NotMigrated(TidingsError):
    """The store's schema is not at this program's version."""


def database_of(settings: Settings, url: str) -> Database:
    """The settings' store on a server."""
    return Database(url, settings.schema, settings.accept_data_loss)


@contextmanager
def running_database(settings: Settings, *, migrated: bool = False) -> Iterator[Database]:
    """The settings' store, its server running for the time of the block.

    The server that the settings name; else the embedded one that runs on the data directory; else
    one that runs there for as long as the block. With `migrated`, a server that is started here is
    brought to this code's version, and a running one is refused (`NotMigrated`) at another.
    """
    if running := settings.database_url or find_running(settings.data_dir):
        database = database_of(settings, running)
        check_server_of(database)
        if migrated:
            _check_migrated(database)
        yield database
    else:
        with EmbeddedPostgres(settings.data_dir) as postgres:
            database = database_of(settings, postgres.dsn)
            if migrated:
                # Alembic would delay every command by a third of a second.
                from app.migrate import upgrade  # noqa: PLC0415 - loaded when it is used

                upgrade(database)
            yield database


def _check_migrated(database: Database) -> None:
    """Refuse a store at another version than this code's, with what to do about it."""
    try:
        with psycopg.connect(database.conninfo()) as connection:
            [is_there] = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            versions = (
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
                if is_there[0]
                else []
            )
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    version = versions[0][0] if versions else None
    if version != migrations.HEAD:
        raise NotMigrated(
            f"the store {database.schema!r} is at version {version or 'none'} and this program "
            f"needs {migrations.HEAD}: run `tidings migrate`"
        )
