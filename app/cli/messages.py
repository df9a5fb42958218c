"""``tidings messages``: those that somebody has to see to, and its subcommands."""

from typing import Any, get_args

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.courier import (
    KeptMessage,
    KeptState,
    MessageAct,
    act_on,
    kept_messages,
    status_of,
)
from app.cli import console
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.running import running_database


@click.group()
def command() -> None:
    """See to messages that wait, or that the courier has given up."""


@command.command("list")
@click.option("--state", type=click.Choice(get_args(KeptState)), help="Only those in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most."
)
@settings_options(*STORE)
def list_(state: KeptState | None, limit: int, **options: Any) -> None:
    """List messages that are not sent, by their ids.

    `waiting`, `sending`, `unknown` (nobody knows whether they were sent), `dead` (every channel has
    failed) and `bounced`.
    """
    with running_database(settings_of(options), migrated=True) as database:
        messages = uvloop.run(kept_messages(database, state, limit))
    table = Table("message", "state", "channel", "attempts", "customer", "next try", box=None)
    table.add_column("last error", overflow="fold")
    for message in messages:
        table.add_row(*_row(message))
    console.print(table if messages else "no message waits, and none was given up")


def _row(message: KeptMessage) -> list[str]:
    next_try = message.next_try_at
    return [
        escape(message.message_id),
        message.state,
        escape(message.channel),
        str(message.attempts),
        escape(message.customer_id),
        next_try.isoformat(timespec="seconds") if next_try else "",
        escape(message.error or ""),
    ]


@command.command
@click.argument("message_id")
@settings_options(*STORE)
def show(message_id: str, **options: Any) -> None:
    """Show what has happened to MESSAGE_ID; not what it says."""
    with running_database(settings_of(options), migrated=True) as database:
        status = uvloop.run(status_of(database, message_id))
    console.print(
        f"{escape(status.message_id)} to {escape(status.customer_id or 'nobody')}: "
        f"{status.state} ({escape(status.channel)}), {status.attempts} attempts"
    )
    table = Table("at", "event", "by", "error", box=None)
    for event in status.events:
        table.add_row(*map(escape, event))
    console.print(table)


@command.command
@click.argument("message_id")
@settings_options(*STORE)
def retry(message_id: str, **options: Any) -> None:
    """Send MESSAGE_ID again: one that was given up, or waits to be tried again.

    One that is `unknown` may so be sent twice.
    """
    _act(message_id, "retry", options)


@command.command
@click.argument("message_id")
@settings_options(*STORE)
def drop(message_id: str, **options: Any) -> None:
    """Send MESSAGE_ID no more."""
    _act(message_id, "drop", options)


def _act(message_id: str, act: MessageAct, options: dict[str, Any]) -> None:
    with running_database(settings_of(options), migrated=True) as database:
        uvloop.run(act_on(database, message_id, act, acting()))
    told = "will be sent" if act == "retry" else "is dropped"
    console.print(f"{escape(message_id)} {told}")
