"""``tidings reactions``: how they are doing, and its subcommands."""

from typing import Any, NoReturn

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.reactions import observe_reactions, parked_keys_of_reactor, resume_reactions
from app.cli import console
from app.cli.acting import acting
from app.cli.options import SEALING, STORE, settings_of, settings_options
from app.cli.parked import end_of_resuming, show_parked
from app.reactions.status import MAX_COUNTED_TIMERS, ReactionsStatus
from app.running import running_database


@click.group(invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@settings_options(*STORE)
@click.pass_context
def command(context: click.RichContext, /, **options: Any) -> None:
    """Show how far reactions and rules have come, how far behind they are; which timers wait."""
    if context.invoked_subcommand is None:
        with running_database(settings_of(options), migrated=True) as database:
            _show(uvloop.run(observe_reactions(database)))
    else:  # what is set before a subcommand's name is as good as behind it
        given = {name: value for name, value in options.items() if value is not None}
        context.default_map = dict.fromkeys(command.commands, given)


@command.command
@settings_options(*STORE)
def parked(**options: Any) -> None:
    """Show the keys that reactions leave out, from an event on that could not be reacted to.

    A key is a customer's id, or a stream's for events that are nobody's.
    """
    with running_database(settings_of(options), migrated=True) as database:
        keys = uvloop.run(parked_keys_of_reactor(database))
        show_parked(keys, with_consumer=True)


@command.command
@click.argument("key", required=False)
@settings_options(*STORE, "secret", *SEALING)
def retry(key: str | None, **options: Any) -> None:
    """React to what is left out of KEY, or of all parked keys.

    A key that fails again stays parked, from the event on that fails; the exit status is then 1.
    """
    _resume(key, skip=False, options=options)


@command.command
@click.argument("key")
@settings_options(*STORE, "secret", *SEALING)
def skip(key: str, **options: Any) -> None:
    """Let nothing follow from the first parked event of KEY, and react to the rest.

    Where the rest fails, it stays parked from the event on that fails; the exit status is then 1.
    """
    _resume(key, skip=True, options=options)


def _resume(key: str | None, *, skip: bool, options: dict[str, Any]) -> NoReturn:
    settings = settings_of(options)
    with running_database(settings, migrated=True) as database:
        end_of_resuming(
            lambda tell: resume_reactions(settings, database, key, acting(), skip=skip, tell=tell),
            done="reacted to",
        )


def _show(status: ReactionsStatus) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("shard", "position", "lag (events)", "lag (s)", "parked"):
        table.add_column(column, justify="right")
    table.add_column("last error", overflow="fold")
    engine = [("rules", status.engagement)] if status.engagement else []
    for name, shard in [*((f"{each.shard:,}", each) for each in status.shards), *engine]:
        table.add_row(
            name,
            f"{shard.position:,}",
            f"{shard.lag_events:,}",
            f"{shard.lag_seconds:.1f}",
            f"{shard.parked_keys:,}",
            escape(shard.last_error or ""),
        )
    console.print(table if status.shards else "No reactor has run yet.")
    timers = status.timers
    more = " or more" if timers.waiting == MAX_COUNTED_TIMERS else ""
    overdue = f", the oldest for {timers.lateness_seconds:,.1f} s" if timers.overdue else ""
    console.print(
        f"{timers.waiting:,}{more} timers wait; {timers.overdue:,} are overdue{overdue}.",
        highlight=False,
    )
