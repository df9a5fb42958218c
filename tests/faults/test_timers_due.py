"""Very many timers fall due at once, with reactors that come and go, and whose clocks jump."""

import asyncio
from pathlib import Path
from statistics import quantiles

import pytest

from app.eventstore.database import Database
from tests.faults.mortal import NEVER
from tests.faults.mortal_reactor import POINTS
from tests.faults.processes import Running, processes
from tests.faults.scale import on_one_server, rounds
from tests.integration.reactions.stage import Stage, stage_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

TIMERS = rounds(few=2_000, full=100_000)
DUE_WITHIN_S = rounds(few=3, full=60)
RESTARTS = rounds(few=2, full=20)
JUMP_S = 3600
DEADLINE_S = 180

_SET = f"""
INSERT INTO timers (
    key, due_at, next_try_at, category, thing_id, command, metadata, set_by, set_at
)
SELECT 'return:' || n, due_at, due_at, 'parcel', n, '{{"type": "return"}}',
    '{{"actor": "policy:parcels"}}', gen_random_uuid(), clock_now()
FROM (
    SELECT n, clock_now() + interval '1 s' + random() * interval '{DUE_WITHIN_S} s' AS due_at
    FROM generate_series(1, {TIMERS}) AS n
) AS wanted
"""


async def test_none_is_lost_doubled_or_early(database: Database, tmp_path: Path) -> None:
    async with stage_on(database) as stage:
        await stage.begin()
        await stage.rows(_SET)
        await stage.rows("CREATE TABLE was_due AS SELECT thing_id, due_at FROM timers")
        with processes(database, tmp_path) as started:
            for number in range(RESTARTS):
                point = POINTS[2 + number % 2]  # before and behind the commit of timers
                dying = started.start("mortal_reactor", f"dying-{number}", point, "5", f"{JUMP_S}")
                if number == 0:
                    started.start("mortal_reactor", "survivor", NEVER, "1", f"{-JUMP_S}")
                await until_dead(dying, DUE_WITHIN_S / RESTARTS)
            await until_all_fired(stage)
        await check(stage)


async def until_dead(running: Running, patience_s: float) -> None:
    """Wait for it to end itself; it does not get to when the other one has all the work."""
    try:
        async with asyncio.timeout(patience_s):
            while running.process.poll() is None:
                await asyncio.sleep(0.05)
    except TimeoutError:
        running.kill()


async def until_all_fired(stage: Stage) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await stage.rows("SELECT key FROM timers LIMIT 1"):
            await asyncio.sleep(0.1)


async def check(stage: Stage) -> None:
    late = await stage.rows(
        "SELECT extract(epoch FROM recorded_at - due_at)::float8 FROM was_due"
        " JOIN events ON stream = 'parcel-' || thing_id AND type = 'parcel.returned'"
    )
    late_s = [seconds for (seconds,) in late]
    p50, p99 = (quantiles(late_s, n=100)[n] for n in (49, 98))
    print(
        f"{len(late_s)} timers were late by p50 {p50:.3f} s, p99 {p99:.3f} s, {max(late_s):.3f} s"
    )
    assert len(late_s) == TIMERS
    assert min(late_s) >= 0
    returned = "SELECT count(*) FROM events WHERE type = 'parcel.returned'"
    assert await stage.rows(returned) == [(TIMERS,)]
