"""``python -m benchmarks [SECTION…]``."""

import asyncio
import logging
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import rich_click as click
import structlog
import uvloop
from rich.console import Console

from app.embedded import EmbeddedPostgres
from benchmarks import (
    backtest,
    deciders,
    engagement,
    function,
    gateway,
    growth,
    imports,
    lag,
    latency,
    over_http,
    reactions,
    read_models,
    store,
)
from benchmarks.bench import FULL, LARGE, QUICK, Bench
from benchmarks.report import Section, print_markdown, print_table

SECTIONS: dict[str, Callable[[Bench], Awaitable[Section]]] = {
    "store": store.measure,
    "function": function.measure,
    "http": over_http.measure,
    "gateway": gateway.measure,
    "import": imports.measure,
    "latency": latency.measure,
    "read-models": read_models.measure,
    "lag": lag.measure,
    "reactions": reactions.measure,
    "backtest": backtest.measure,
    "deciders": deciders.measure,
    "engagement": engagement.measure,
    "growth": growth.measure,
}


@click.command
@click.argument("sections", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option("--quick", is_flag=True, help="Few short rounds: a glance, within three minutes.")
@click.option("--large", is_flag=True, help="Let growth go on to 10,000,000 events: 25 GB on disk.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the server's data lie meanwhile. Default: where temporary files do.",
)
def main(
    sections: Sequence[str], quick: bool, large: bool, markdown: bool, directory: Path | None
) -> None:
    """Measure every figure beside its baseline, in one run on one embedded PostgreSQL.

    What is measured takes turns with what it is compared with, and the median of the paired ratios
    counts. SECTION is one of these; all of them when none is named:

    \b
    store        appends through the store, beside plain inserts
    function     the append function, beside the bare insert
    http         events and commands, beside an echo and plain inserts
    gateway      the same with keys, limits and sealed fields, beside without
    import       tidings import of a file, beside COPY of the same rows
    latency      from a POST to the entry on the timeline
    read-models  on a long log, beside the bare INSERT … SELECT: a rebuild,
                 and the catch-up of all projections from nothing; and
                 that of a row an event, beside the projection runner
                 of the Python package eventsourcing
    lag          from an event's commit to the read models that have it,
                 while 1,000 events come a second
    reactions    from an event to what follows from it, while 500 events
                 come a second; timers; a reactor's throughput
    backtest     events that a rule is tried on, of a long log
    deciders     commands to modules, beside plain events
    engagement   the engine with 1 to 1,000 live rules, how soon it decides,
                 and its memory
    growth       catch-up, rebuild and timeline queries on logs of 10,000
                 to 1,000,000 events, beside those on the shortest
    """
    _quieten_logs()
    size = LARGE if large else QUICK if quick else FULL
    with (
        TemporaryDirectory(prefix="tidings-bench-", dir=directory) as temporary,
        EmbeddedPostgres(Path(temporary) / "data") as postgres,
    ):
        bench = Bench(postgres.dsn, Path(temporary), size)
        machine = _machine(postgres.dsn)
        bench.warm_up()
        try:
            measured = uvloop.run(_measure(bench, sections or list(SECTIONS)))
        except asyncio.CancelledError:
            sys.exit(128 + signal.SIGTERM)
    (print_markdown if markdown else print_table)(machine, measured)


async def _measure(bench: Bench, names: Sequence[str]) -> list[Section]:
    # Whatever was started is ended, as after Ctrl-C.
    this = asyncio.current_task()
    assert this
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    progress = Console(stderr=True)
    measured = []
    with progress.status("") as status:
        for name in names:
            status.update(f"measuring: {name}")
            measured.append(await SECTIONS[name](bench))
    return measured


def _quieten_logs() -> None:
    """What goes as it should is no news, and standard output is the report's."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def _machine(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        postgres = connection.info.parameter_status("server_version")
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, PostgreSQL {postgres}, "
        f"fsync and synchronous_commit on, load average {os.getloadavg()[0]:.1f} at the start"
    )


if __name__ == "__main__":
    main()
