"""``tidings projections reshard``."""

from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.projections import MAX_PROJECTION_SHARDS, PROJECTION_NAMES, reshard_projection
from app.cli import console
from app.cli.acting import acting
from app.cli.options import STORE, settings_of, settings_options
from app.cli.refusals import refusals_in_one_line
from app.running import running_database


@click.command
@click.argument("name", metavar="NAME", type=click.Choice(PROJECTION_NAMES))
@click.argument("shards", metavar="N", type=click.IntRange(1, MAX_PROJECTION_SHARDS))
@settings_options(*STORE)
def reshard(name: str, shards: int, **options: Any) -> None:
    """Share the work on the read model NAME among N shards, while projectors run.

    No event is lost or applied twice. As many projectors, or connections of one, can then work on
    it at once; a key's events stay in order.
    """
    with (
        running_database(settings_of(options), migrated=True) as database,
        refusals_in_one_line(),
    ):
        position = uvloop.run(reshard_projection(database, name, shards, acting()))
    counted = "1 shard" if shards == 1 else f"{shards} shards"
    console.print(f"{name} has {counted} from position {position:,} on.", highlight=False)
