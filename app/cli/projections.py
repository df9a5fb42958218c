"""``tidings projections``."""

from typing import Any

import rich_click as click
import uvloop
from rich.table import Table

from app.bootstrap import observe_projections
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.running import running_database


@click.command
@settings_options(*STORE)
def command(**options: Any) -> None:
    """List the read models: how far each has come, how far behind it is, how fast it moves.

    Looks twice, a second apart, to tell the rate.
    """
    with running_database(settings_of(options), migrated=True) as database:
        observed = uvloop.run(observe_projections(database))
    table = Table("projection", "generation", "state", box=None, header_style="bold")
    for column in ("position", "lag (events)", "lag (s)", "rate (events/s)"):
        table.add_column(column, justify="right")
    table.add_column("last error", overflow="fold")
    for status, rate_per_s in observed:
        for generation in status.generations:
            table.add_row(
                status.name,
                generation.name,
                "read by queries" if generation.is_read else generation.state,
                f"{generation.position:,}",
                f"{generation.lag_events:,}",
                f"{generation.lag_seconds:.1f}",
                f"{rate_per_s:,.0f}" if generation == status.read else "",
                generation.last_error or "",
            )
        if not status.generations:
            table.add_row(status.name, "", "not built yet: no projector has run")
    console.print(table)
