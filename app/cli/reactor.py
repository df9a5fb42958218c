"""``tidings reactor``."""

from functools import partial
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.reactor import run_reactor
from app.cli.options import LOGS, SEALING, STORE, settings_of, settings_options
from app.cli.stopping import until_stopped
from app.logs import configure_logs
from app.running import running_database


@click.command
@settings_options(*STORE, "secret", *SEALING, "shards", *LOGS, "poll_interval_ms")
def command(**options: Any) -> None:
    """Let follow from events what policies and rules say, and fire timers.

    Any number may run, on any machines: they share the shards, and stand in for one another.
    """
    settings = settings_of(options)
    configure_logs(settings, "reactor")
    with running_database(settings, migrated=True) as database:
        uvloop.run(until_stopped(partial(run_reactor, settings, database)))
