"""Bring a store's schema to this code's version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import migrations
from app.eventstore.database import Database, unavailable
from app.kernel.errors import TidingsError

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
    """Upgrade to a revision, all or nothing. Processes that start at once wait for each other.

    Raises `MigrationRefused`, also when somebody holds a lock that it needs, `StoreUnavailable`.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    with _in_one_line(), engine_of(database).begin() as connection:
        config.attributes |= {"connection": connection, "schema": database.schema}
        command.upgrade(config, revision)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """What went wrong, as an error of ours."""
    try:
        yield
    except CommandError as error:
        raise MigrationRefused(str(error)) from error
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            raise MigrationRefused(
                "nothing was migrated: somebody holds a lock that the migration needs; try again"
            ) from error
        if isinstance(cause, psycopg.OperationalError):
            raise unavailable(cause) from error
        raise MigrationRefused(f"nothing was migrated: {str(cause).splitlines()[0]}") from error
