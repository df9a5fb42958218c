"""``tidings timers``."""

from typing import Any

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.reactions import timers_that_wait
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.running import running_database


@click.command
@click.argument("prefix", default="")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@settings_options(*STORE)
def command(prefix: str, limit: int, **options: Any) -> None:
    """List the timers that wait, those that are due first; with PREFIX, those whose key begins so.

    Such as `tidings timers payment-timeout:`.
    """
    with running_database(settings_of(options), migrated=True) as database:
        timers = uvloop.run(timers_that_wait(database, prefix, limit))
    table = Table("due", "key", "command", "for", "customer", box=None, header_style="bold")
    table.add_column("last error", overflow="fold")
    for timer in timers:
        table.add_row(
            timer.due_at.isoformat(timespec="seconds"),
            escape(timer.key),
            timer.command,
            escape(timer.stream),
            escape(timer.customer_id or ""),
            escape(timer.error or ""),
        )
    console.print(table if timers else "no timer waits")
