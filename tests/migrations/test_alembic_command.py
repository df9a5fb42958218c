"""The bare alembic command works on the store that the settings name."""

from dataclasses import replace

import pytest

from app.eventstore.database import Database
from tests.migrations.alembic_command import run_alembic
from tests.migrations.catalog import downgrade, everything_in, tables_of

# Processes are slow to start, and what they run is tested on every server without them.
pytestmark = pytest.mark.parametrize("server", [pytest.param(18, id="postgres18")], indirect=True)


def test_the_alembic_command_goes_up_checks_and_goes_down(
    database: Database, empty_database: Database
) -> None:
    migrated = tables_of(database)
    store = replace(empty_database, schema="shop")

    assert run_alembic(store, "upgrade", "head")[0] == 0
    assert tables_of(store) == migrated
    assert run_alembic(store, "check") == (0, "No new upgrade operations detected.\n")

    assert run_alembic(store, "downgrade", "base")[0] == 0
    nothing = everything_in(store)
    downgrade(database)
    assert nothing == everything_in(database)
