"""Projectors and their connections are killed at any moment: read models are the log's fold."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from app.embedded import EmbeddedPostgres
from app.eventstore.database import Database
from app.kernel.errors import StoreUnavailable
from app.migrate import upgrade
from projections.generations import make_first
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from tests.faults.scale import rounds
from tests.integration.projections.folds import fold_timeline
from tests.integration.projections.histories import history
from tests.integration.projections.stage import Stage, opened_stage
from tests.integration.projections.test_folds import check_customers, timeline_rows

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SEED = 3
PROJECTORS = 3
SHARDS = 3
EVENTS_AT_ONCE = 40
PAUSE_BETWEEN_KILLS_S = (0.05, 0.4)
DEADLINE_S = 60

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tidings projector'"


class Victims:
    """Projector processes, and the server's processes that work for them."""

    def __init__(self, stage: Stage, data_dir: Path, seed: int) -> None:
        self._stage = stage
        self._chance = random.Random(seed)
        self._environment = {
            **os.environ,
            "TIDINGS_DATABASE_URL": stage.database.url,
            "TIDINGS_DATA_DIR": str(data_dir),
        }
        self._projectors = [self._start() for _ in range(PROJECTORS)]

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "app", "projector"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def kill_one(self) -> None:
        await self._chance.choice([self.projector, self.projector, self.session, self.backend])()

    async def projector(self) -> None:
        """A process is gone, and another one comes."""
        place = self._chance.randrange(PROJECTORS)
        self._projectors[place].kill()
        self._projectors[place].wait()
        self._projectors[place] = self._start()

    async def session(self) -> None:
        """A connection is ended."""
        await self._stage.fetch(
            f"SELECT pg_terminate_backend(pid) FROM ({_BACKENDS} ORDER BY random() LIMIT 1) AS one"
        )

    async def backend(self) -> None:
        """One of the server's processes is gone, and with it every connection there is."""
        if pids := await self._stage.fetch(_BACKENDS):
            with suppress(ProcessLookupError):
                os.kill(self._chance.choice(pids)[0], signal.SIGKILL)

    def end(self) -> None:
        for projector in self._projectors:
            projector.terminate()
        for projector in self._projectors:
            projector.wait()


@contextmanager
def victims(stage: Stage, data_dir: Path, seed: int) -> Iterator[Victims]:
    started = Victims(stage, data_dir, seed)
    try:
        yield started
    finally:
        started.end()


async def test_whatever_is_killed_read_models_are_the_fold_of_the_log(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    with EmbeddedPostgres(tmp_path) as postgres:
        database = Database(postgres.dsn)
        upgrade(database)
        async with opened_stage(database) as stage:
            async with await stage.log.connect() as connection:
                await make_first(connection, PROJECTIONS, shards=SHARDS)
            with victims(stage, tmp_path, SEED) as killed:
                recording = asyncio.create_task(record_for_ever(stage, chance))
                for _ in range(rounds(8, 200)):
                    await asyncio.sleep(chance.uniform(*PAUSE_BETWEEN_KILLS_S))
                    await again(killed.kill_one)
                    assert not recording.done(), recording.result()
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)
                await again(lambda: stage.caught_up(*(f"{p.name}_g1" for p in PROJECTIONS)))
            await check(stage)


async def again(action: Callable[[], Awaitable[None]]) -> None:
    """Until the server, which may have been killed, answers."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await action()
            except (psycopg.OperationalError, StoreUnavailable):
                await asyncio.sleep(0.05)


async def record_for_ever(stage: Stage, chance: random.Random) -> None:
    while True:
        await stage.record(*history(chance, EVENTS_AT_ONCE))


async def check(stage: Stage) -> None:
    """They equal a fold in plain Python, and what a rebuild makes; nobody's events are left out."""
    log = await stage.store.read_log(after=0, limit=10_000_000)
    assert await stage.fetch("SELECT consumer, key, error FROM parked_keys") == []
    assert len(log) > EVENTS_AT_ONCE
    assert await timeline_rows(stage) == fold_timeline(log)
    await check_customers(stage, log)
    for projection in PROJECTIONS:
        fresh = projection.generation(await rebuild(stage.log, projection))
        assert await stage.contents(fresh) == await stage.contents(projection.generation(1))
