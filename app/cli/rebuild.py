"""``tidings rebuild``."""

from typing import Any

import psycopg
import rich_click as click
import uvloop
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from app.bootstrap import log_of, running_database
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from projections import rebuild as rebuilding
from projections.registry import PROJECTIONS, projection_named


@click.command
@click.argument("name", metavar=f"[{'|'.join(p.name for p in PROJECTIONS)}]")
@click.option("--drop-old", is_flag=True, help="Drop the tables that queries read before.")
@settings_options(*STORE)
def command(name: str, *, drop_old: bool, **options: Any) -> None:
    """Rebuild a read model from the log, beside the one that queries go on reading.

    When it is filled, queries read it from then on. The former one is kept up to date until the
    next rebuild. One that is interrupted goes on where it stood when it is started again.
    """
    projection = projection_named(name)
    with (
        running_database(settings_of(options), migrated=True) as database,
        _progress() as progress,
    ):
        task = progress.add_task(name, total=None)

        def show(at: rebuilding.Progress) -> None:
            progress.update(
                task, description=f"{name}: {at.phase}", completed=at.position, total=at.head
            )

        try:
            generation = uvloop.run(
                rebuilding.rebuild(
                    log_of(database), projection, on_progress=show, drop_old=drop_old
                )
            )
        except psycopg.Error as error:
            line = str(error).strip().splitlines()[0]
            raise click.ClickException(f"{line} (start it again to go on)") from None
    console.print(f"Queries of [bold]{name}[/] read generation {generation} now.")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
