"""``tidings import``."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import rich_click as click

from app.bootstrap import CATALOGUE, running_database
from app.cli.import_progress import ImportProgress
from app.cli.options import LOGS, STORE, settings_of, settings_options
from app.eventstore.appender import Appender
from app.eventstore.database import Database
from app.kernel.clock import system_clock
from app.kernel.event import Metadata
from app.kernel.ids import check_id, new_event_id
from app.logs import configure_logs
from app.modules.interactions.importing import Import
from app.modules.interactions.incoming import Intake
from app.modules.interactions.input_file import ReadingStopped, opened_file
from app.modules.interactions.row_events import Columns, RowEvents
from app.modules.interactions.rows import Rows, read_rows
from app.modules.interactions.times import zone_of
from app.secret import read_secret

STOPPED_STATUS = 130
GC_THRESHOLD_OBJECTS = 100_000


@click.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--customer", required=True, metavar="COLUMN", help="Whose event it is.")
@click.option("--type", "type_", required=True, metavar="COLUMN", help="What happened.")
@click.option(
    "--occurred-at",
    required=True,
    metavar="COLUMN",
    help="When it happened: ISO 8601 (2024-03-13 10:21:14), or seconds, milliseconds, microseconds "
    "or nanoseconds since 1970, told apart by their number of digits.",
)
@click.option(
    "--id",
    "id_",
    metavar="COLUMN",
    help="The event's own id. Without it, a row is recognised by its content, and equal rows by "
    "their number among themselves.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The zone of times without an offset, such as Europe/Berlin. Of a time that comes twice "
    "when clocks go back, the first is meant; one that they skip going forward is moved on.",
)
@click.option(
    "--source",
    default="import",
    show_default=True,
    metavar="NAME",
    help="Whose ids these are: an id, or a row without one, is recorded once a source. Files whose "
    "equal rows are different events need sources of their own; `default` is the API's.",
)
@settings_options(*STORE, "secret", *LOGS)
def command(
    file: str,
    *,
    customer: str,
    type_: str,
    occurred_at: str,
    id_: str | None,
    timezone: str,
    source: str,
    **options: Any,
) -> None:
    """Import events from a CSV or JSON Lines FILE; `-` is standard input.

    CSV begins with a header line. JSON Lines is told by the file's name (.jsonl, .ndjson, .json) or
    a first `{`. Both are UTF-8, and may be compressed with gzip. The columns that are not named
    become the event's data: from CSV each as text (an empty cell is an empty text), from JSON Lines
    each as it is.

    Running it again adds nothing, and goes on where an interrupted import stopped. Without --id, a
    million rows take about 110 MB of memory to be recognised.

    A line that cannot be imported is reported by its number, and the others are imported; the exit
    status is then 1, and it is 2 when nothing could be tried.
    """
    settings = settings_of(options)
    configure_logs(settings, "import")
    zone = zone_of(timezone, field="--timezone")
    columns = Columns(customer, type_, occurred_at, id_)
    secret = read_secret(settings)
    intake = Intake(
        catalogue=CATALOGUE,
        secret=secret,
        source=check_id(source, field="--source"),
        clock=system_clock,
    )
    # All that one import records is one chain of causes.
    metadata = Metadata(correlation_id=str(new_event_id()))
    row_events = RowEvents(columns, zone, intake, secret, metadata)
    with _stop_signals() as should_stop, opened_file(file, should_stop) as input_file:
        rows = read_rows(input_file.lines(), input_file.name, columns.by_option())
        with (
            running_database(settings, migrated=True) as database,
            ImportProgress(input_file) as progress,
        ):
            status = asyncio.run(_import(rows, row_events, columns, database, progress))
    sys.exit(status)


async def _import(
    rows: Rows,
    row_events: RowEvents,
    columns: Columns,
    database: Database,
    progress: ImportProgress,
) -> int:
    """Import, and answer the exit status."""
    # Rows leave no cycles behind; to look for them as often as usual costs a third of the time.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD_OBJECTS)
    async with Appender(database) as appender:
        running = Import(
            appender,
            row_events,
            columns,
            on_bad_row=progress.show_bad_row,
            on_progress=progress.show,
        )
        try:
            await running.run(rows)
        except ReadingStopped:
            return STOPPED_STATUS
    return 1 if running.outcomes.rejected else 0


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM asked to stop; a second one interrupts."""
    asked: list[int] = []

    def ask(signum: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(signum)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
