"""``tidings courier``."""

from functools import partial
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.channels import check_channels
from app.bootstrap.courier import run_courier
from app.cli.options import CHANNELS, LOGS, SEALING, STORE, settings_of, settings_options
from app.cli.stopping import until_stopped
from app.logs import configure_logs
from app.running import running_database


@click.command
@settings_options(*STORE, "secret", *SEALING, *CHANNELS, *LOGS, "poll_interval_ms")
def command(**options: Any) -> None:
    """Send messages to customers by e-mail, webhook and inbox.

    Any number may run, on any machines: one of them sends, and the others stand in for it.
    """
    settings = settings_of(options)
    configure_logs(settings, "courier")
    check_channels(settings)
    with running_database(settings, migrated=True) as database:
        uvloop.run(until_stopped(partial(run_courier, settings, database)))
