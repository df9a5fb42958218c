"""Engines are killed at named points: what rules decide is what the log says, each thing once."""

import asyncio
import random
from collections import Counter
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from app.eventstore.database import Database
from tests.faults.mortal_engine import NEVER, POINTS
from tests.faults.processes import Processes, Running, processes
from tests.faults.scale import on_one_server, rounds
from tests.integration.engagement.stage import SEND, Stage, stage_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

KILLS = rounds(few=8, full=200)
SEED = 6
MOST_COMMITS_BEFORE_A_KILL = 8
CUSTOMERS = 20
PAUSE_S = 0.01
LONGEST_LIFE_S = 4
DEADLINE_S = 60

MOST_OFFERS = 30
OFFER = {"do": "offer", "offer": "ten", "expires_in": "7d", "in_total": MOST_OFFERS}


async def set_rules(stage: Stage) -> None:
    """One that acts at once, one that waits for a second, one with a limit that all share."""
    await stage.live("count", pattern={"is": "count", "at_least": 3, "within": "1h"})
    await stage.live(
        "absence",
        pattern={"is": "absence", "of": [{"event": "tock"}], "within": "1s", "again": "ignore"},
    )
    await stage.live("offer", trigger={"event": "tock"}, steps=[OFFER, SEND])


async def keep_busy(stage: Stage, until: asyncio.Event) -> None:
    """Customers tick, one after the other, and now and then they tock; rules come and go."""
    for number in count():
        if until.is_set():
            return
        await stage.happen("tick" if number % 7 else "tock", f"c-{number % CUSTOMERS}")
        if number % 100 == 50:
            await stage.pause("count")
            await stage.resume("count")
        await asyncio.sleep(PAUSE_S)


async def kill_again_and_again(started: Processes) -> None:
    """Engines that end at each of the points in turn; another stands by all the time."""
    chance = random.Random(SEED)

    def mortal(number: int) -> Running:
        commits = chance.randint(1, MOST_COMMITS_BEFORE_A_KILL)
        point = POINTS[number % len(POINTS)]
        return started.start("mortal_engine", f"engine-{number}", point, str(commits))

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


async def test_each_thing_is_decided_once_as_the_log_says_whoever_dies(
    database: Database, tmp_path: Path
) -> None:
    async with stage_on(database) as stage:
        await stage.begin()
        await set_rules(stage)
        enough = asyncio.Event()
        busy = asyncio.create_task(keep_busy(stage, enough))
        with processes(database, tmp_path) as started:
            await kill_again_and_again(started)
            enough.set()
            await busy
            started.start("mortal_engine", "survivor", NEVER, "1")
            await until_quiet(stage)
        await check(stage)


async def until_quiet(stage: Stage) -> None:
    """Wait until all that falls due has been decided on, and all events."""
    async with asyncio.timeout(DEADLINE_S):
        await stage.settled()
        waiting = "SELECT count(*) FROM engagement_states WHERE due_at IS NOT NULL"
        while await stage.rows(f"{waiting} AND state::text LIKE '%absence%'") != [(0,)]:
            await asyncio.sleep(0.05)
        await stage.settled()


async def check(stage: Stage) -> None:
    recorded = await stage.recorded()
    assert recorded == await stage.replayed()
    assert len(recorded) > KILLS
    streams = Counter(event.stream for event in await stage.events("decision.made"))
    assert set(streams.values()) == {1}
    assert len(await stage.events("offer.issued")) <= MOST_OFFERS
    done = {
        (did["what"], did["stream"]) for made in recorded.values() for did in made.get("did", ())
    }
    sent = {("send", event.stream) for event in await stage.events("message.requested")}
    issued = {("offer", event.stream) for event in await stage.events("offer.issued")}
    assert sent | issued == done
