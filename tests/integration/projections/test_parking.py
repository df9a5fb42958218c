"""An event that fails: its key is set aside, everyone else's events go on, and it comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from app.eventstore.database import Connection
from app.eventstore.parking import ParkedKey, parked_keys, resume
from app.kernel.errors import NotFound
from projections.projection import Projection
from projections.projector import MAX_BATCH_EVENTS, Projector
from projections.timeline import TIMELINE
from projections.timeline.tables import TimelineTables
from tests.integration.projections.stage import Stage, sent

pytestmark = pytest.mark.anyio

APPLY = TIMELINE.apply
assert APPLY
# An amount that is no number fails, as long as the definition is as strict as this.
STRICT = (
    "SELECT (data ->> 'amount')::integer FROM batch WHERE type = 'Paid' ORDER BY position;\n"
    + APPLY()
)
PICKY: Projection[TimelineTables] = replace(TIMELINE, apply=lambda: STRICT)


async def parked(stage: Stage, consumer: str = "timeline_g1") -> list[ParkedKey]:
    async with await stage.database.connect() as connection:
        return await parked_keys(connection, [consumer])


async def positions_of(stage: Stage, customer_id: str) -> list[int]:
    rows = await stage.fetch(
        "SELECT position FROM timeline_g1 WHERE customer_id = %s ORDER BY position", customer_id
    )
    return [position for (position,) in rows]


@asynccontextmanager
async def a_poisoned_log(stage: Stage) -> AsyncIterator[None]:
    """Of twenty events, ann's third one (position 7) fails; a projector has been over them."""
    amounts = {7: "much"}
    customers = ["ann", "ben", "cid"]
    await stage.record(
        *(
            sent(customers[number % 3], "Paid", amount=amounts.get(number + 1, "1"))
            for number in range(20)
        )
    )
    async with stage.projecting(PICKY):
        await stage.caught_up("timeline_g1")
        yield


async def test_the_key_of_an_event_that_fails_is_parked_and_others_go_on(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        [key] = await parked(stage)
        assert (key.key, key.position) == ("ann", 7)
        assert "invalid input syntax" in key.error
        assert await positions_of(stage, "ann") == [1, 4]
        assert await positions_of(stage, "ben") == [2, 5, 8, 11, 14, 17, 20]
        await stage.record(sent("ann"), sent("ben"))
        await stage.caught_up("timeline_g1")
        assert await positions_of(stage, "ann") == [1, 4]
        assert (await positions_of(stage, "ben"))[-1] == 22


@pytest.mark.parametrize("skip", [False, True])
async def test_a_parked_key_comes_back_whole_and_in_order(stage: Stage, skip: bool) -> None:
    async with a_poisoned_log(stage), await stage.log.connect(TIMELINE.shard_key) as connection:
        mended = (PICKY if skip else TIMELINE).generation(1)
        await resume(connection, mended.name, "ann", mended.work, skip=skip)
        assert not await parked(stage)
        expected = [1, 4, 7, 10, 13, 16, 19]
        assert await positions_of(stage, "ann") == [p for p in expected if not (skip and p == 7)]
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")
        assert (await positions_of(stage, "ann"))[-1] == 21


async def test_a_key_that_fails_again_stays_parked(stage: Stage) -> None:
    async with a_poisoned_log(stage), await stage.log.connect(TIMELINE.shard_key) as connection:
        before = await parked(stage)
        with pytest.raises(psycopg.DataError):
            await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work)
        assert await parked(stage) == before
        assert await positions_of(stage, "ann") == [1, 4]


async def test_a_key_that_is_not_parked_is_not_found(stage: Stage) -> None:
    await stage.make_first()
    async with await stage.log.connect(TIMELINE.shard_key) as connection:
        with pytest.raises(NotFound, match="ann"):
            await resume(connection, "timeline_g1", "ann", TIMELINE.generation(1).work)


class Death(BaseException):
    """Of a process, which handles nothing any more."""


async def test_an_event_that_ends_whoever_works_on_it_is_parked(stage: Stage) -> None:
    """Each projector is one that was started anew, and knows nothing of the one before."""

    async def die_of_ann(connection: Connection, tables: TimelineTables) -> None:
        del tables
        cursor = await connection.execute("SELECT 1 FROM batch WHERE customer_id = 'ann'")
        if await cursor.fetchone():
            raise Death
        await TIMELINE.generation(1).work(connection)

    await stage.record(*(sent("ann" if number == 5 else "ben") for number in range(40)))
    deadly = replace(TIMELINE, apply=None, handler=die_of_ann)
    deaths = 0
    while await dies(stage, deadly):
        deaths += 1
    assert [(key.key, key.position) for key in await parked(stage)] == [("ann", 6)]
    assert len(await positions_of(stage, "ben")) == 39
    assert deaths <= 2 * MAX_BATCH_EVENTS.bit_length()


async def dies(stage: Stage, projection: Projection[TimelineTables]) -> bool:
    """Whether a projector dies before it has come to the end of the log."""
    stop = asyncio.Event()
    life = asyncio.create_task(Projector(stage.log, stage.wakeups, [projection]).run(stop))
    through = asyncio.create_task(stage.caught_up("timeline_g1"))
    await asyncio.wait({life, through}, return_when=asyncio.FIRST_COMPLETED)
    through.cancel()
    stop.set()
    [end, _] = await asyncio.gather(life, through, return_exceptions=True)
    assert end is None or (isinstance(end, BaseExceptionGroup) and end.subgroup(Death))
    return end is not None
