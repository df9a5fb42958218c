"""``tidings export``."""

import sys
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.customers import opened_exports
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.running import running_database


@click.command
@click.argument("customer_id")
@settings_options(*STORE, "master_key", "master_key_file", "min_position_timeout_ms")
def command(customer_id: str, **options: Any) -> None:
    """Print everything that is held about the customer CUSTOMER_ID, as JSON Lines.

    The first line is the profile, then comes an event a line, then what is quarantined and who
    exported the customer before, and a last line says that it is all.
    The read models have to be up to date: a projector runs, as within `tidings up`.
    """
    settings = settings_of(options)
    with running_database(settings, migrated=True) as database:

        async def run() -> None:
            metadata = acting()
            async with opened_exports(settings, database) as exports:
                async for line in await exports.of(customer_id, metadata):
                    sys.stdout.buffer.write(line)

        uvloop.run(run())
