"""A rebuild of a long log while clients write and read, and while it is killed again and again."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app.catalogue import CATALOGUE
from app.eventstore.database import Database
from projections.rebuild import rebuild
from projections.timeline import TIMELINE
from projections.timeline.queries import Timelines
from tests.controls.events import an_append, an_event
from tests.faults.scale import on_one_server, rounds
from tests.integration.eventstore.sessions import request
from tests.integration.projections.stage import Stage, opened_stage

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

SEED = 9
EVENTS = rounds(20_000, 1_000_000)
KILLS = rounds(2, 20)
LONGEST_LOCK_WAIT = "1s"
PROBE = "probe"
READERS = 2
WRITERS = 2

_FILL = """
INSERT INTO events (
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT n, gen_random_uuid(), format('activity-c%%s', n %% 1000), 1 + n / 1000, 'Product Added', 1,
    format('c%%s', n %% 1000), jsonb_build_object('sku', n), '{"source": "test"}',
    '2026-01-01Z'::timestamptz + (n::bigint * 7919 %% 100000) * interval '1 s', clock_now()
FROM generate_series(1, %s) AS n
"""


class Load:
    """Writers, and readers that compare what they see with what a status said before."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = asyncio.Event()
        self.written: list[int] = []
        """The positions of the probe's events, as they were acknowledged."""
        self.read = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write())
            for _ in range(READERS):
                tasks.create_task(self._read())

    def stop(self) -> None:
        self._stop.set()

    async def _write(self) -> None:
        """One event after another, each by a call that gives up when it waits long for a lock."""
        async with await self._stage.database.connect() as connection:
            await connection.execute(f"SET lock_timeout = '{LONGEST_LOCK_WAIT}'")
            while not self._stop.is_set():
                event = an_event(customer_id=PROBE)
                group = request([an_append(f"activity-{PROBE}", event)]).decode()
                cursor = await connection.execute("SELECT * FROM append_events(%s)", (group,))
                row = await cursor.fetchone()
                assert row is not None
                self.written.append(row[0])
                await asyncio.sleep(0.002)

    async def _read(self) -> None:
        """Nothing that was there before, by the lag that is shown, is missing afterwards."""
        timelines = Timelines(self._stage.models, CATALOGUE)
        while not self._stop.is_set():
            reached = await self._reached()
            expected = {position for position in self.written if position <= reached}
            page = await timelines.page(PROBE, limit=10_000_000)
            seen = [entry.position for entry in page.items]
            assert expected <= set(seen)
            assert len(seen) == len(set(seen))
            self.read += 1
            await asyncio.sleep(0.002)

    async def _reached(self) -> int:
        """How far all that queries may read have come: for a moment that can be the former one."""
        [(position,)] = await self._stage.fetch(
            "SELECT min(position) FROM checkpoints JOIN projection_generations AS made"
            " ON consumer = format('%%s_g%%s', made.name, made.generation) AND state = 'ready'"
        )
        return int(position)


class Processes:
    """A projector and the command, as a user runs them: whoever comes first rebuilds."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._environment = {
            **os.environ,
            "TIDINGS_DATABASE_URL": database.url,
            "TIDINGS_ACCEPT_DATA_LOSS": "true",
            "TIDINGS_SCHEMA": database.schema,
            "TIDINGS_DATA_DIR": str(data_dir),
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for arguments in (("projector",), ("rebuild", "timeline")):
            self._running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "app", *arguments],
                    env=self._environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )

    def kill(self) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()
        self._running.clear()


@contextmanager
def rebuilding(database: Database, data_dir: Path) -> Iterator[Processes]:
    """Both; they do not outlive the block."""
    processes = Processes(database, data_dir)
    try:
        processes.start()
        yield processes
    finally:
        processes.kill()


async def test_a_rebuild_under_load_that_is_killed_again_and_again_ends_right(
    database: Database, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    async with opened_stage(database) as stage:
        async with await stage.database.connect() as connection:
            await connection.execute(_FILL, (EVENTS,))
        async with stage.projecting(TIMELINE):
            await caught_up(stage)
        load = Load(stage)
        clients = asyncio.create_task(load.run())
        with rebuilding(stage.database, tmp_path) as processes:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(1, 3))
                processes.kill()
                assert not clients.done(), clients.result()
                processes.start()
            await rebuilt(stage)
            load.stop()
            await clients
            assert load.read > 10
            assert len(load.written) > 10
            await caught_up(stage)
        number = await pointed_to(stage)
        assert number > 1
        fresh = await rebuild(stage.log, TIMELINE, handover=timedelta(0))
        contents = await stage.contents(TIMELINE.generation(fresh))
        assert contents == await stage.contents(TIMELINE.generation(number))
        assert len(contents["timeline"]) == EVENTS + len(load.written)


async def rebuilt(stage: Stage) -> None:
    """Wait until queries read a later generation, and none is being built."""
    async with asyncio.timeout(600):
        while await pointed_to(stage) == 1 or await stage.fetch(
            "SELECT FROM projection_generations WHERE state <> 'ready'"
        ):
            await asyncio.sleep(0.05)


async def pointed_to(stage: Stage) -> int:
    [(number,)] = await stage.fetch(
        "SELECT generation FROM projection_pointers WHERE name = 'timeline'"
    )
    return int(number)


async def caught_up(stage: Stage) -> None:
    """Wait until the generation that queries read is at the log's end, however long that takes."""
    head = await stage.store.head()
    async with asyncio.timeout(600):
        while True:
            rows = await stage.fetch(
                "SELECT min(position) FROM checkpoints WHERE consumer = 'timeline_g' || ("
                "SELECT max(generation) FROM projection_pointers WHERE name = 'timeline')"
            )
            if (rows[0][0] or 0) >= head:
                return
            await asyncio.sleep(0.05)
