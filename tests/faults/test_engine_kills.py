"""Engines are killed at named points: what rules decide is what the log says, each thing once."""

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from app.eventstore.database import Database
from tests.faults.killing import Killing, kill_again_and_again
from tests.faults.mortal import NEVER
from tests.faults.mortal_engine import POINTS
from tests.faults.processes import processes
from tests.faults.scale import on_one_server, rounds
from tests.integration.engagement.stage import SEND, Stage, stage_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

KILLS = rounds(few=8, full=200)
ENGINES = Killing(
    module="mortal_engine",
    points=POINTS,
    kills=KILLS,
    most_times_before=8,
    longest_life_s=4,
    seed=6,
)
CUSTOMERS = 20
PAUSE_S = 0.01
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


async def test_each_thing_is_decided_once_as_the_log_says_whoever_dies(
    database: Database, tmp_path: Path
) -> None:
    async with stage_on(database) as stage:
        await stage.begin()
        await set_rules(stage)
        enough = asyncio.Event()
        busy = asyncio.create_task(keep_busy(stage, enough))
        with processes(database, tmp_path) as started:
            await kill_again_and_again(started, ENGINES)
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
