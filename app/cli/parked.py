"""``tidings projections parked``, ``retry`` and ``skip``, and what others share of them."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.projections import PROJECTION_NAMES, parked_keys_of_projection, resume_projection
from app.cli import console
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.cli.refusals import refusals_in_one_line
from app.eventstore.parking import ParkedKey, Tell
from app.running import running_database

NAME = click.argument("name", metavar="NAME", type=click.Choice(PROJECTION_NAMES))


@click.command
@NAME
@settings_options(*STORE)
def parked(name: str, **options: Any) -> None:
    """Show the keys that the read model NAME leaves out, from an event on that failed.

    A key is a customer's id, or a stream's for events that are nobody's.
    """
    with running_database(settings_of(options), migrated=True) as database:
        show_parked(uvloop.run(parked_keys_of_projection(database, name)))


def show_parked(keys: Sequence[ParkedKey], *, with_consumer: bool = False) -> None:
    """A table of them, or that there are none; with who leaves them out, if several may."""
    if not keys:
        console.print("Nothing is parked.")
        return
    names = ("consumer", "key") if with_consumer else ("key",)
    table = Table(*names, box=None, header_style="bold")
    table.add_column("position", justify="right")
    table.add_column("since")
    table.add_column("error", overflow="fold")
    for key in keys:
        since = key.parked_at.isoformat(sep=" ", timespec="seconds")
        who = (key.consumer, escape(key.key)) if with_consumer else (escape(key.key),)
        table.add_row(*who, f"{key.position:,}", since, escape(key.error))
    console.print(table)


@click.command
@NAME
@click.argument("key", required=False)
@settings_options(*STORE)
def retry(name: str, key: str | None, **options: Any) -> None:
    """Apply what the read model NAME leaves out of KEY, or of all parked keys.

    A key that fails again stays parked, from the event on that fails; the exit status is then 1.
    """
    _resume(name, key, skip=False, options=options)


@click.command
@NAME
@click.argument("key")
@settings_options(*STORE)
def skip(name: str, key: str, **options: Any) -> None:
    """Leave the first parked event of KEY out of the read model NAME, and apply the rest.

    It stays in the log: a rebuild meets it again. Where the rest fails, it stays parked from the
    event on that fails; the exit status is then 1.
    """
    _resume(name, key, skip=True, options=options)


def _resume(name: str, key: str | None, *, skip: bool, options: dict[str, Any]) -> NoReturn:
    with running_database(settings_of(options), migrated=True) as database:
        end_of_resuming(
            lambda tell: resume_projection(database, name, key, acting(), skip=skip, tell=tell),
            done="applied",
        )


def end_of_resuming(resume: Callable[[Tell], Awaitable[None]], *, done: str) -> NoReturn:
    """Resume, with a line for each key, and end; `done` is what has become of its events."""
    errors: list[str | None] = []

    def tell(parked: ParkedKey, error: str | None) -> None:
        errors.append(error)
        outcome = done if error is None else f"still parked: {error}"
        line = f"{parked.consumer} {parked.key}: {outcome}"
        console.print(escape(line), highlight=False, soft_wrap=True)

    async def run() -> None:
        await resume(tell)

    with refusals_in_one_line():
        uvloop.run(run())
    if not errors:
        console.print("Nothing is parked.")
    sys.exit(1 if any(errors) else 0)
