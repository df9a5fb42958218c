"""``tidings keys create | list | rotate | revoke | rewrap``."""

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.keys import opened_keys
from app.bootstrap.sealing import rewrap_data_keys
from app.cli import console
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.kernel.principal import EVERYTHING, SCOPES
from app.running import running_database
from app.security.keys import Keys, NewKey

T = TypeVar("T")

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LIFETIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")


class _Lifetime(click.ParamType[timedelta]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """A duration such as 90d, 12h, 30m or 45s."""
        found = _LIFETIME.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration such as 90d, 12h, 30m or 45s", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


_STORE = (*STORE, "secret", "environment")
_NAME = click.argument("name")
_EXPIRES = click.option(
    "--expires",
    type=_Lifetime(),
    metavar="DURATION",
    help="After how long it ends by itself, such as 90d or 12h. Default: never.",
)


@click.group
def command() -> None:
    """Make, list, rotate and revoke API keys; and rewrap the data keys of customers.

    A key is shown once, when it is made; the store keeps a keyed digest of it. Its NAME is whose
    key it is: senders' ids and idempotency keys belong to the name, so a rotated key goes on where
    the former one stopped.
    """


@command.command
@_NAME
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([*SCOPES, EVERYTHING]),
    metavar="SCOPE",
    help=f"What it may do, as often as needed: {', '.join(SCOPES)}, or * for all.",
)
@_EXPIRES
@settings_options(*_STORE)
def create(name: str, scopes: tuple[str, ...], expires: timedelta | None, **options: Any) -> None:
    """Make the first key of NAME. Into a pipe, the key alone is printed."""
    _show(_with_keys(options, lambda keys: keys.create(name, scopes, expires, acting())))


@command.command("list")
@settings_options(*_STORE)
def list_(**options: Any) -> None:
    """Show every key: whose it is, what it may do, when it was last used; never the key itself."""
    table = Table("name", "key id", "scopes", "created", "expires", "last used", box=None)
    for key in _with_keys(options, Keys.all):
        expires = "revoked" if key.is_revoked else _minute(key.expires_at)
        scopes = " ".join(key.scopes)
        created, used = _minute(key.created_at), _minute(key.last_used_at)
        table.add_row(escape(key.name), key.key_id, scopes, created, expires, used)
    console.print(table)


@command.command
@_NAME
@_EXPIRES
@settings_options(*_STORE)
def rotate(name: str, expires: timedelta | None, **options: Any) -> None:
    """Make a further key of NAME, with the same scopes.

    The newest of the former ones stays valid until it is revoked or NAME is rotated again, so that
    senders can be changed over one by one; older ones are revoked.
    """
    _show(_with_keys(options, lambda keys: keys.rotate(name, expires, acting())))


@command.command
@click.argument("key_id")
@settings_options(*_STORE)
def revoke(key_id: str, **options: Any) -> None:
    """End the key with the id KEY_ID; it lets nobody in any more within five seconds."""
    _with_keys(options, lambda keys: keys.revoke(key_id, acting()))
    console.print(f"Revoked {escape(key_id)}.")


@command.command
@settings_options(*STORE, "master_key", "master_key_file")
def rewrap(**options: Any) -> None:
    """Wrap all customers' data keys under a new master key, and destroy the old one.

    Whoever was erased before is then unreadable in backups, too. Everything goes on meanwhile; the
    file of master keys holds both keys until it is done, and an interrupted rewrap goes on when it
    is begun again. Of a master key in the settings, both are given: old,new.
    """
    settings = settings_of(options)
    with running_database(settings, migrated=True) as database:
        rewrapped = uvloop.run(rewrap_data_keys(settings, database, acting()))
    console.print(f"Wrapped {rewrapped:,} data keys under a new master key.")
    if settings.master_key is not None:
        console.print("TIDINGS_MASTER_KEY is to hold the new one alone from now on.")


def _with_keys(options: dict[str, Any], work: Callable[[Keys], Awaitable[T]]) -> T:
    settings = settings_of(options)

    async def run() -> T:
        async with opened_keys(settings, database) as keys:
            return await work(keys)

    with running_database(settings, migrated=True) as database:
        return uvloop.run(run())


def _show(made: NewKey) -> None:
    if sys.stdout.isatty():
        console.print(f"The key of {escape(made.name)}, which is shown this once:")
    click.echo(made.key)


def _minute(at: Any) -> str:
    return "never" if at is None else at.isoformat(sep=" ", timespec="minutes")[:16]
