"""A projector's catch-up with the simplest read model, beside that of the package `eventsourcing`.

Each inserts a row an event; the package does so one transaction an event, which is what its users
have. It is given fewer events, for it takes long: rates are compared.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from itertools import count

from psycopg.sql import SQL, Identifier

from app.eventstore.database import Database
from benchmarks.bench import Bench
from benchmarks.caught_up import rate_of_catch_up
from benchmarks.report import Row, compared, not_measured
from benchmarks.rounds import side_by_side
from benchmarks.simple import ENTRIES

TARGET = 100
HOW_TO_GET = "eventsourcing is not installed (make bench installs it)"
NO_WAIT = {"PGOPTIONS": "-c synchronous_commit=off"}
"""Libpq's: as the projector's sessions are set."""


async def rows(bench: Bench, database: Database) -> list[Row]:
    """Its commits wait for the disk by default, and the projector's do not: both ways."""
    name = f"catch-up of a row an event, {bench.size.log_events:,} events"
    against = f"eventsourcing's ProjectionRunner, {bench.size.peer_events:,}"
    unwaiting = "the same, synchronous_commit off"
    if find_spec("eventsourcing") is None:
        return [not_measured(name, HOW_TO_GET)]
    runner = _Runner(bench)
    rates = await side_by_side(
        {
            name: partial(rate_of_catch_up, database, [ENTRIES], bench.size.log_events),
            against: partial(runner.rate, {}),
            unwaiting: partial(runner.rate, NO_WAIT),
        },
        rounds=bench.size.log_rounds,
    )
    return [compared(rates, name, against, target=TARGET), compared(rates, name, unwaiting)]


class _Runner:
    """Runs it in a fresh schema each time."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._numbers = count(1)

    async def rate(self, env: Mapping[str, str]) -> float:
        """Events a second."""
        schema = f"eventsourcing_{next(self._numbers)}"
        self._bench.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
        arguments = (self._bench.url, schema, str(self._bench.size.peer_events))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.eventsourcing_runner", *arguments),
            env={**os.environ, **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"eventsourcing's runner failed: {errors.decode()[-2000:]}")
        self._bench.drop(Database(self._bench.url, schema))
        return float(output)
