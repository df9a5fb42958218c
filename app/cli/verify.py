"""``tidings projections verify``."""

from collections.abc import Sequence
from typing import Any

import msgspec
import rich_click as click
import uvloop
from rich.markup import escape

from app.bootstrap import PROJECTION_NAMES, REBUILD_JOBS, Verified, verify_projection
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.cli.rebuild_progress import progress_bar
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
    when something differs.
    """
    settings = settings_of(options)
    configure_logs(msgspec.structs.replace(settings, log_level="warning"), "verify")
    names = [name] if name else PROJECTION_NAMES
    with running_database(settings, migrated=True) as database:
        compared = [_verify(database, each, jobs) for each in names]
    for comparison in compared:
        for line in _report(comparison):
            console.print(line, soft_wrap=True, highlight=False)
    for comparison in compared:
        comparison.check()


def _verify(database: Database, name: str, jobs: int) -> Verified:
    with progress_bar() as progress:
        task = progress.add_task(name, total=None)
        run = verify_projection(
            database,
            name,
            on_progress=lambda at: progress.update(
                task, description=f"{name}: {at.phase}", completed=at.position, total=at.head
            ),
            jobs=jobs,
        )
        return uvloop.run(run)


def _report(comparison: Verified) -> Sequence[str]:
    """What was found, for people."""
    where = f"[bold]{comparison.generation}[/] at position {comparison.position:,}"
    but = f"; parked and left out: {comparison.left_out:,}" if comparison.left_out else ""
    if not comparison.differences:
        return [f"{where}: as the log has it{but}"]
    found = [f"{where}: differs from the log{but}"]
    for each in comparison.differences:
        rows = f"{each.rows:,} rows, {each.other_rows:,} by the log"
        found.append(f"  {each.table}: {rows}; {each.count:,} differ by {each.by or 'content'}")
        found += [f"    {escape(whose)}" for whose in each.named]
        if each.count > len(each.named):
            found.append(f"    and {each.count - len(each.named):,} more")
    return found
