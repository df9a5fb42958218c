"""Reactors are killed at named points: reactions happen once, timers fire once and not early."""

import asyncio
import random
from collections import Counter
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from app.eventstore.database import Database
from tests.faults.mortal_reactor import NEVER, POINTS
from tests.faults.mortal_rules import PATIENCE
from tests.faults.processes import Processes, Running, processes
from tests.faults.scale import on_one_server, rounds
from tests.integration.reactions.parcels import PARCEL, Arrive, Collect
from tests.integration.reactions.stage import Stage, stage_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

KILLS = rounds(few=8, full=200)
SEED = 5
MOST_COMMITS_BEFORE_A_KILL = 12
PAUSE_S = 0.01
LONGEST_LIFE_S = 4
DEADLINE_S = 60


async def keep_busy(stage: Stage, until: asyncio.Event) -> int:
    """Parcels arrive, and every third is collected before long; how many arrived."""
    for number in count():
        if until.is_set():
            return number
        await stage.send(PARCEL, f"p-{number}", Arrive("anna"))
        if number % 3 == 0:
            await stage.send(PARCEL, f"p-{number}", Collect())
        await asyncio.sleep(PAUSE_S)
    raise AssertionError


async def kill_again_and_again(started: Processes) -> None:
    """Reactors that end at each of the points in turn; another stands by all the time."""
    chance = random.Random(SEED)

    def mortal(number: int) -> Running:
        commits = chance.randint(1, MOST_COMMITS_BEFORE_A_KILL)
        point = POINTS[number % len(POINTS)]
        return started.start("mortal_reactor", f"reactor-{number}", point, str(commits))

    living = [mortal(0), mortal(1)]
    killed, killed_at = 0, monotonic()
    while killed < KILLS:
        await asyncio.sleep(PAUSE_S)
        if monotonic() - killed_at > LONGEST_LIFE_S:
            chance.choice(living).process.kill()  # each has the work that the other is to die at
        for place, running in enumerate(living):
            if running.process.poll() is not None:
                assert running.process.returncode == -9, running.errors.read_text()
                killed, killed_at = killed + 1, monotonic()
                living[place] = mortal(killed + 1)


async def test_each_reaction_happens_once_and_each_timer_fires_once_whoever_dies(
    database: Database, tmp_path: Path
) -> None:
    async with stage_on(database) as stage:
        await stage.begin()
        enough = asyncio.Event()
        busy = asyncio.create_task(keep_busy(stage, enough))
        with processes(database, tmp_path) as started:
            await kill_again_and_again(started)
            enough.set()
            arrived = await busy
            started.start("mortal_reactor", "survivor", NEVER, "1")
            await until_quiet(stage)
        await check(stage, arrived)


async def until_quiet(stage: Stage) -> None:
    """Wait until all timers have fired and all events were reacted to."""
    async with asyncio.timeout(DEADLINE_S):
        await stage.settled()  # the last timers are set only then
        while (await stage.rows("SELECT count(*) FROM timers")) != [(0,)]:
            await asyncio.sleep(0.05)
        await stage.settled()


async def check(stage: Stage, arrived: int) -> None:
    rows = await stage.rows(
        "SELECT stream, type, recorded_at FROM events WHERE type <> 'reaction.refused'"
    )
    happened = Counter((stream, kind) for stream, kind, _ in rows)
    assert set(happened.values()) == {1}
    at = {(stream, kind): when for stream, kind, when in rows}
    for number in range(arrived):
        parcel, message = f"parcel-p-{number}", f"message-p-{number}"
        assert (message, "message.requested") in happened
        was_collected = (parcel, "parcel.collected") in happened
        was_returned = (parcel, "parcel.returned") in happened
        assert was_collected is (number % 3 == 0)
        if was_returned:
            waited = at[parcel, "parcel.returned"] - at[parcel, "parcel.arrived"]
            assert waited >= PATIENCE
            assert (f"message-back:p-{number}", "message.requested") in happened
        else:
            assert was_collected
    assert len(happened) == len(rows)
