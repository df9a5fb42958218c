"""``tidings redact``."""

from typing import Any

import rich_click as click
import uvloop
from rich.progress import Progress

from app.bootstrap.projections import PROJECTION_NAMES
from app.bootstrap.sealing import redact_events
from app.cli import console
from app.cli.acting import acting
from app.cli.options import LOGS, SEALING, STORE, settings_of, settings_options
from app.logs import configure_logs
from app.running import running_database


@click.command
@settings_options(*STORE, *SEALING, *LOGS)
def command(**options: Any) -> None:
    """Seal sensitive fields that were recorded in plaintext, before they were declared sensitive.

    It is the one change of recorded events that there is, and the log tells of it. What rules have
    copied, and remember, is sealed with it. Everything goes on meanwhile, and an interrupted
    redaction goes on when it is begun again. Read models are to be rebuilt after it: they hold what
    was recorded.
    """
    settings = settings_of(options)
    configure_logs(settings, "redact")
    with (
        running_database(settings, migrated=True) as database,
        Progress(console=console, transient=True) as progress,
    ):
        task = progress.add_task("Redacting")

        def show(position: int, last: int) -> None:
            progress.update(task, completed=position, total=last)

        redacted = uvloop.run(redact_events(settings, database, acting(), show))
    console.print(f"Sealed sensitive fields of {redacted:,} events.")
    if redacted:
        console.print("Now make the read models again:")
        for name in PROJECTION_NAMES:
            console.print(f"  tidings rebuild {name} --accept-differences --drop-old")
