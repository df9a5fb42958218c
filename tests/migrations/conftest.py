"""Empty databases, and alembic as the migrations use it."""

from collections.abc import Iterator
from itertools import count

import pytest

from app.eventstore.database import Database
from tests.integration.conftest import Server, database, server

__all__ = ["database", "empty_database", "server"]

_numbers = count(1)


@pytest.fixture
def empty_database(server: Server) -> Iterator[Database]:
    """A store that has not been migrated."""
    name = f"empty_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.database(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
