"""``python -m benchmarks [SECTION…]``."""

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import rich_click as click
import uvloop
from rich.console import Console

from app.embedded import EmbeddedPostgres
from benchmarks import function, imports, latency, over_http, read_models, store
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.report import Section, print_markdown, print_table

SECTIONS: dict[str, Callable[[Bench], Awaitable[Section]]] = {
    "store": store.measure,
    "function": function.measure,
    "http": over_http.measure,
    "import": imports.measure,
    "latency": latency.measure,
    "read-models": read_models.measure,
}


@click.command
@click.argument("sections", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option("--quick", is_flag=True, help="Few short rounds: a glance, within two minutes.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the server's data lie meanwhile. Default: where temporary files do.",
)
def main(sections: Sequence[str], quick: bool, markdown: bool, directory: Path | None) -> None:
    """Measure every figure beside its baseline, in one run on one embedded PostgreSQL.

    SECTION: store, function, http, import, latency or read-models; all of them when none is named.
    What is measured takes turns with what it is compared with, and the median of the paired ratios
    counts.
    """
    with (
        TemporaryDirectory(prefix="tidings-bench-", dir=directory) as temporary,
        EmbeddedPostgres(Path(temporary) / "data") as postgres,
    ):
        bench = Bench(postgres.dsn, Path(temporary), QUICK if quick else FULL)
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
