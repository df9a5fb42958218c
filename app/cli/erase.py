"""``tidings erase``."""

from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
import uvloop
from click import UsageError

from app.bootstrap.customers import opened_erasures
from app.cli import console
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.modules.customers.receipts import Receipt, Receipts
from app.running import running_database
from app.secret import read_secret


@click.command
@click.argument("customer_id", required=False)
@click.option("--yes", is_flag=True, help="Do not ask whether to do so.")
@click.option(
    "--verify",
    "receipt",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Erase nobody: check the receipt in FILE, of CUSTOMER_ID if that is given.",
)
@settings_options(*STORE, "secret", "master_key", "master_key_file")
def command(customer_id: str | None, *, yes: bool, receipt: Path | None, **options: Any) -> None:
    """Erase the customer CUSTOMER_ID for ever, and print the receipt.

    The data key and the identities are destroyed, and events and commands for the id are refused
    from now on. It can not be undone. Done again, it prints the same receipt.
    """
    settings = settings_of(options)
    if receipt is not None:
        Receipts(read_secret(settings)).check(receipt.read_bytes(), customer_id)
        console.print("The receipt is genuine.")
        return
    if customer_id is None:
        raise UsageError("give a CUSTOMER_ID, or --verify FILE")
    if not yes:
        click.confirm(f"Erase {customer_id} for ever?", abort=True, err=True)
    with running_database(settings, migrated=True) as database:

        async def run() -> Receipt:
            async with opened_erasures(settings, database) as erasures:
                return await erasures.erase(customer_id, acting())

        made = uvloop.run(run())
    click.echo(msgspec.json.format(msgspec.json.encode(made)).decode())
