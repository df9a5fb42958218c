"""``tidings projector``."""

from functools import partial
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.projections import run_projector
from app.cli.options import LOGS, STORE, settings_of, settings_options
from app.cli.stopping import until_stopped
from app.logs import configure_logs
from app.running import running_database


@click.command
@settings_options(*STORE, "shards", *LOGS, "poll_interval_ms")
def command(**options: Any) -> None:
    """Keep the read models up to date.

    Any number may run, on any machines, and share the work; one that dies leaves nothing half done.
    """
    settings = settings_of(options)
    configure_logs(settings, "projector")
    with running_database(settings, migrated=True) as database:
        uvloop.run(until_stopped(partial(run_projector, settings, database)))
