"""``tidings rebuild``."""

from typing import Any

import msgspec
import rich_click as click
import uvloop
from click.core import ParameterSource

from app.bootstrap.projections import (
    PROJECTION_NAMES,
    REBUILD_JOBS,
    rebuild_projection,
    roll_projection_back,
)
from app.cli import console
from app.cli.acting import acting
from app.cli.differences import show
from app.cli.options import STORE, settings_of, settings_options
from app.cli.progress import shown_progress
from app.cli.refusals import refusals_in_one_line
from app.eventstore.database import Database
from app.logs import configure_logs
from app.running import running_database

EXCLUDED_BY_ROLLBACK = ("accept_differences", "drop_old", "jobs", "throttle")


@click.command
@click.argument("name", metavar="NAME", type=click.Choice(PROJECTION_NAMES))
@click.option(
    "--accept-differences",
    is_flag=True,
    help="The log is right: queries read what it makes, even where it differs.",
)
@click.option("--drop-old", is_flag=True, help="Drop the tables that queries read before.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=REBUILD_JOBS,
    help=f"How many fill it at once. Default: {REBUILD_JOBS}.",
)
@click.option(
    "--throttle",
    metavar="EVENTS_PER_S",
    type=click.IntRange(min=1),
    help="Apply no more events a second than this.",
)
@click.option("--rollback", is_flag=True, help="Let queries read the former one again.")
@settings_options(*STORE)
@click.pass_context
def command(
    context: click.RichContext,
    /,
    name: str,
    *,
    rollback: bool,
    accept_differences: bool,
    drop_old: bool,
    jobs: int,
    throttle: int | None,
    **options: Any,
) -> None:
    """Rebuild a read model from the log, beside the one that queries go on reading.

    When it is filled and found to be right, queries read it from then on. The former one is kept up
    to date until the next rebuild. One that is interrupted goes on where it stood, and as it was
    asked to, when it is started again, or when a projector finds it.
    """
    if rollback:
        _refuse_others(context)
    settings = settings_of(options)
    configure_logs(msgspec.structs.replace(settings, log_level="warning"), "rebuild")
    with running_database(settings, migrated=True) as database:
        if rollback:
            generation = uvloop.run(roll_projection_back(database, name, acting()))
        else:
            generation = _rebuild(
                database,
                name,
                accept_differences=accept_differences,
                drop_old=drop_old,
                jobs=jobs,
                throttle=throttle,
            )
    console.print(f"Queries of [bold]{name}[/] read generation {generation} now.")


def _refuse_others(context: click.Context) -> None:
    for option in EXCLUDED_BY_ROLLBACK:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--rollback goes without --{option.replace('_', '-')}")


def _rebuild(
    database: Database,
    name: str,
    *,
    accept_differences: bool,
    drop_old: bool,
    jobs: int,
    throttle: int | None,
) -> int:
    with shown_progress(name) as on_progress:
        run = rebuild_projection(
            database,
            name,
            acting(),
            on_progress=on_progress,
            on_differences=lambda found: show(found, found.compared_with),
            accept_differences=accept_differences,
            drop_old=drop_old,
            jobs=jobs,
            throttle=throttle,
        )
        with refusals_in_one_line("start it again to go on"):
            return uvloop.run(run)
