"""``tidings projections verify``."""

from typing import Any

import msgspec
import rich_click as click
import uvloop

from app.bootstrap.projections import PROJECTION_NAMES, REBUILD_JOBS, Verified, verify_projection
from app.cli import console
from app.cli.differences import show
from app.cli.options import STORE, settings_of, settings_options
from app.cli.progress import shown_progress
from app.cli.refusals import refusals_in_one_line
from app.eventstore.database import Database
from app.logs import configure_logs
from app.running import running_database


@click.command
@click.argument("name", type=click.Choice(PROJECTION_NAMES), required=False)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=REBUILD_JOBS,
    help=f"How many make it again at once. Default: {REBUILD_JOBS}.",
)
@settings_options(*STORE)
def verify(name: str | None, *, jobs: int, **options: Any) -> None:
    """Check a read model, or every one: make it again from the log, and compare, row for row.

    Projectors and queries go on meanwhile; nothing stays of what was made. The exit status is 1
    when something differs, and `tidings rebuild NAME --accept-differences` mends it.
    """
    settings = settings_of(options)
    configure_logs(msgspec.structs.replace(settings, log_level="warning"), "verify")
    names = [name] if name else PROJECTION_NAMES
    with running_database(settings, migrated=True) as database:
        compared = {each: _verify(database, each, jobs) for each in names}
    for each, comparison in compared.items():
        show(comparison, "the log")
        if comparison.differences:
            console.print(f"  To mend it: tidings rebuild {each} --accept-differences")
    for comparison in compared.values():
        comparison.check()


def _verify(database: Database, name: str, jobs: int) -> Verified:
    with shown_progress(name) as on_progress, refusals_in_one_line():
        return uvloop.run(verify_projection(database, name, on_progress=on_progress, jobs=jobs))
