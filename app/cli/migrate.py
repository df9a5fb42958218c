"""``tidings migrate``."""

from typing import Any

import rich_click as click

from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.migrate import upgrade
from app.running import running_database


@click.command
@settings_options(*STORE)
def command(**options: Any) -> None:
    """Bring the store's schema to this program's version.

    Running it again changes nothing. `alembic upgrade`, `downgrade` and `check` work too, in a
    checkout.
    """
    with running_database(settings_of(options)) as database:
        upgrade(database)
        console.print(f"The store [bold]{database.schema}[/] is at this program's version.")
