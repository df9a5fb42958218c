"""`tidings import` of a CSV file against COPY of the very rows that it records."""

import asyncio
import csv
import subprocess
import sys
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

import psycopg

from benchmarks.bench import Bench
from benchmarks.processes import environment
from benchmarks.report import Section, compared
from benchmarks.rounds import side_by_side
from benchmarks.sample import Crowd

COLUMNS = (
    *("customer", "type", "occurred_at", "sku", "title", "quantity", "price", "currency"),
    *("cart_id", "page", "campaign"),
)


async def measure(bench: Bench) -> Section:
    """The whole command, from its start to its end, each time into an empty store."""
    events = bench.size.import_events
    file = _write_csv(bench.directory / "events.csv", events)
    imports = _Imports(bench, file)
    name, against = f"{events:,} events of a CSV file", "COPY of the same rows"
    rates = await side_by_side(
        {name: imports.rate_of_import, against: partial(asyncio.to_thread, imports.rate_of_copy)},
        rounds=bench.size.import_rounds,
    )
    return Section(
        "tidings import, the whole command", [compared(rates, name, against, target=0.5)]
    )


def _write_csv(file: Path, events: int) -> Path:
    crowd = Crowd()
    with file.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(COLUMNS)
        for _ in range(events):
            event = crowd.sent_event()
            data = event["data"]
            price = data.pop("price")
            about = (event["customer_id"], event["type"], event["occurred_at"])
            values = (data["sku"], data["title"], data["quantity"], *price.values())
            writer.writerow(
                (*about, *values, data["cart_id"], data["page"], data["campaign"]),
            )
    return file


class _Imports:
    """Imports into fresh stores, and copies of what the last one recorded."""

    def __init__(self, bench: Bench, file: Path) -> None:
        self._bench = bench
        self._file = file
        self._numbers = count(1)
        self._database = bench.store("import_0")

    async def rate_of_import(self) -> float:
        """Events a second."""
        self._bench.drop(self._database)
        self._database = self._bench.store(f"import_{next(self._numbers)}")
        arguments = ["-m", "app", "import", str(self._file), "--customer", "customer"]
        arguments += ["--type", "type", "--occurred-at", "occurred_at"]
        env = environment(self._bench, self._database)
        started = perf_counter()
        command = [sys.executable, *arguments]
        done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"the import failed: {done.stderr.decode()[-2000:]}")
        return self._bench.size.import_events / (perf_counter() - started)

    def rate_of_copy(self) -> float:
        """Rows a second."""
        source = f"{self._database.schema}.events"
        plain = self._bench.plain_table(f"copy_{next(self._numbers)}", self._database)
        target = f"{plain.schema}.events"
        with psycopg.connect(self._bench.url, autocommit=True) as connection:
            cursor = connection.cursor()
            with cursor.copy(f"COPY {source} TO STDOUT".encode()) as outgoing:
                rows = b"".join(outgoing)
            started = perf_counter()
            with cursor.copy(f"COPY {target} FROM STDIN".encode()) as incoming:
                incoming.write(rows)
            elapsed_s = perf_counter() - started
            copied = cursor.rowcount
        self._bench.drop(plain)
        if copied != self._bench.size.import_events:
            raise RuntimeError(f"the import recorded {copied} events")
        return copied / elapsed_s
