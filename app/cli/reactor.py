"""``tidings reactor``."""

import asyncio
import signal
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.reactor import run_reactor
from app.cli.options import LOGS, SEALING, STORE, settings_of, settings_options
from app.eventstore.database import Database
from app.logs import configure_logs
from app.running import running_database
from app.settings import Settings


@click.command
@settings_options(*STORE, "secret", *SEALING, "shards", *LOGS, "poll_interval_ms")
def command(**options: Any) -> None:
    """Let follow from events what policies say, and fire timers.

    Any number may run, on any machines: they share the shards, and stand in for one another.
    """
    settings = settings_of(options)
    configure_logs(settings, "reactor")
    with running_database(settings, migrated=True) as database:
        uvloop.run(_run(settings, database))


async def _run(settings: Settings, database: Database) -> None:
    stop = asyncio.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stopping, stop.set)
    await run_reactor(settings, database, stop)
