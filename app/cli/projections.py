"""``tidings projections``: the list, and its subcommands."""

from typing import Any

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.projections import observe_projections
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.cli.parked import parked, retry, skip
from app.cli.reshard import reshard
from app.cli.verify import verify
from app.running import running_database

SUBCOMMANDS = (parked, retry, skip, reshard, verify)


@click.group(invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@settings_options(*STORE)
@click.pass_context
def command(context: click.RichContext, /, **options: Any) -> None:
    """List the read models: how far each has come, how far behind it is, how fast it moves.

    Looks twice, a second apart, to tell the rate.
    """
    if context.invoked_subcommand is None:
        _list(options)
    else:  # what is set before a subcommand's name is as good as behind it
        given = {name: value for name, value in options.items() if value is not None}
        context.default_map = dict.fromkeys(command.commands, given)


for subcommand in SUBCOMMANDS:
    command.add_command(subcommand)


def _list(options: dict[str, Any]) -> None:
    with running_database(settings_of(options), migrated=True) as database:
        observed = uvloop.run(observe_projections(database))
    table = Table("projection", "generation", "state", box=None, header_style="bold")
    for column in ("position", "lag (events)", "lag (s)", "rate (events/s)", "shards", "parked"):
        table.add_column(column, justify="right")
    table.add_column("last error", overflow="fold")
    for status, rates_per_s in observed:
        for generation in status.generations:
            table.add_row(
                status.name,
                generation.name,
                "read by queries" if generation.is_read else generation.state,
                f"{generation.position:,}",
                f"{generation.lag_events:,}",
                f"{generation.lag_seconds:.1f}",
                f"{rates_per_s.get(generation.name, 0):,.0f}",
                f"{generation.shards:,}",
                f"{generation.parked_keys:,}",
                escape(generation.last_error or ""),
            )
        if not status.generations:
            table.add_row(status.name, "", "not built yet: no projector has run")
    console.print(table)
