"""``tidings import``."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from typing import Any

import rich_click as click
import uvloop

from app.bootstrap.sealing import opened_sealing
from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC
from app.cli.import_progress import ImportProgress
from app.cli.options import LOGS, SEALING, STORE, settings_of, settings_options
from app.kernel.clock import system_clock
from app.kernel.event import Metadata
from app.kernel.ids import check_id, new_event_id
from app.kernel.time_zones import zone_named
from app.logs import configure_logs
from app.modules.event_types.declared import EventTypes, followed_event_types
from app.modules.interactions.importing import Import
from app.modules.interactions.incoming import Intake
from app.modules.interactions.input_file import ReadingStopped, opened_file
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.row_events import Columns, RowEvents
from app.modules.interactions.rows import BadRow, Batches, Row, read_rows
from app.running import running_database
from app.secret import read_secret
from app.settings import Settings

STOPPED_STATUS = 128
"""Plus the signal's number, as shells have it."""

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
@settings_options(*STORE, "secret", *SEALING, *LOGS)
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

    Events that do not fit the schema declared of their type are quarantined, and counted. A line
    that cannot be imported is reported by its number, and the others are imported; the exit
    status is then 1, and it is 2 when nothing could be tried.
    """
    settings = settings_of(options)
    configure_logs(settings, "import")
    zone = zone_named(timezone, field="--timezone")
    columns = Columns(customer, type_, occurred_at, id_)
    secret = read_secret(settings)
    # All that one import records is one chain of causes.
    metadata = Metadata(
        correlation_id=str(new_event_id()), source=check_id(source, field="--source")
    )

    def row_events(event_types: EventTypes) -> RowEvents:
        intake = Intake(
            catalogue=CATALOGUE, secret=secret, clock=system_clock, event_types=event_types
        )
        return RowEvents(columns, zone, intake, secret, metadata)

    sys.exit(uvloop.run(_import(settings, file, columns, row_events)))


async def _import(
    settings: Settings, path: str, columns: Columns, row_events: Callable[[EventTypes], RowEvents]
) -> int:
    """Import, and answer the exit status."""
    # Rows leave no cycles behind; to look for them as often as usual costs a third of the time.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD_OBJECTS)
    signals: list[int] = []
    try:
        with opened_file(path, _stop_on_signals(signals)) as file:
            batches = read_rows(file.lines(), file.name, columns.by_option())
            # Before anything is started: a file that cannot be tried is the likelier mistake.
            first = await _first_rows(batches)
            with (
                running_database(settings, migrated=True) as database,
                ImportProgress(file) as progress,
            ):
                async with (
                    command_store(database) as store,
                    followed_event_types(store, CODEC) as event_types,
                    opened_sealing(settings, database, event_types) as sealing,
                ):
                    running = Import(
                        store.appender,
                        StoredQuarantine(store.pool),
                        row_events(event_types),
                        columns,
                        on_bad_row=progress.show_bad_row,
                        on_progress=progress.show,
                        seal=sealing.appends,
                    )
                    await running.run(_chained(first, batches))
    except ReadingStopped:
        return STOPPED_STATUS + signals[0]
    return 1 if running.outcomes.rejected else 0


async def _first_rows(batches: Batches) -> list[Row | BadRow]:
    async for batch in batches:
        if rows := list(batch):
            return rows
    return []


async def _chained(first: list[Row | BadRow], others: Batches) -> Batches:
    yield iter(first)
    async for batch in others:
        yield batch


def _stop_on_signals(signals: list[int]) -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM, which is noted; what was read by then is still recorded."""
    stop = asyncio.Event()

    def ask(number: int) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    return stop
