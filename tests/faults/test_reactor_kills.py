"""Reactors are killed at named points: reactions happen once, timers fire once and not early."""

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from app.eventstore.database import Database
from tests.faults.killing import Killing, kill_again_and_again
from tests.faults.mortal import NEVER
from tests.faults.mortal_reactor import POINTS
from tests.faults.mortal_rules import PATIENCE
from tests.faults.processes import processes
from tests.faults.scale import on_one_server, rounds
from tests.integration.reactions.parcels import PARCEL, Arrive, Collect
from tests.integration.reactions.stage import Stage, stage_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

REACTORS = Killing(
    module="mortal_reactor",
    points=POINTS,
    kills=rounds(few=8, full=200),
    most_times_before=12,
    longest_life_s=4,
    seed=5,
)
PAUSE_S = 0.01
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


async def test_each_reaction_happens_once_and_each_timer_fires_once_whoever_dies(
    database: Database, tmp_path: Path
) -> None:
    async with stage_on(database) as stage:
        await stage.begin()
        enough = asyncio.Event()
        busy = asyncio.create_task(keep_busy(stage, enough))
        with processes(database, tmp_path) as started:
            await kill_again_and_again(started, REACTORS)
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
