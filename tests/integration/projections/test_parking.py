"""An event that fails: its key is set aside, everyone else's events go on, and it comes back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.batch import Checkpoint, Claim
from app.eventstore.consumer import Consumer
from app.eventstore.database import Connection
from app.eventstore.parking import ParkedKey, resume
from app.kernel.errors import NotFound
from projections.parked import parked_of, resume_parked
from projections.projection import Projection
from projections.projector import MAX_BATCH_EVENTS, Projector
from projections.rebuild import rebuild
from projections.timeline import TIMELINE
from projections.timeline.tables import TimelineTables
from tests.integration.projections.poison import PICKY, a_poisoned_log, park, parked, positions_of
from tests.integration.projections.stage import Stage, sent

pytestmark = pytest.mark.anyio


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


async def test_an_event_that_another_worker_has_set_aside_costs_the_next_one_nothing(
    stage: Stage,
) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), sent("ben"))
    claim = Claim(Checkpoint("timeline_g1"), CATALOGUE, max_batch_events=1)
    failed = False

    async def fail_where_another_is_quicker(connection: Connection, max_events: int) -> bool:
        nonlocal failed
        if not failed:
            failed = True
            async with await stage.log.connect(TIMELINE.shard_key) as other:
                assert await claim.park(other, "the other's", after=0)
            raise ValueError
        span = await TIMELINE.generation(1).apply(claim, connection, max_events=max_events)
        return span is not None

    connect = partial(stage.log.connect, TIMELINE.shard_key)
    await Consumer(claim, connect, fail_where_another_is_quicker).run_to_the_end()
    assert [(key.key, key.error) for key in await parked(stage)] == [("ann", "the other's")]
    assert await positions_of(stage, "ben") == [2]


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


async def test_a_key_comes_back_whole_in_several_transactions(stage: Stage) -> None:
    async with a_poisoned_log(stage), await stage.log.connect(TIMELINE.shard_key) as connection:
        mended = TIMELINE.generation(1)
        sizes: list[int] = []

        async def work(connection: Connection) -> None:
            cursor = await connection.execute("SELECT count(*) FROM batch")
            sizes.extend(count for (count,) in await cursor.fetchall())
            await mended.work(connection)

        await resume(connection, mended.name, "ann", work, at_once=4)
        assert not await parked(stage)
        assert len(sizes) > 2
        assert max(sizes) <= 2
        assert await positions_of(stage, "ann") == [1, 4, 7, 10, 13, 16, 19]


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


async def test_what_stands_before_an_event_that_fails_comes_back_and_the_key_waits_there(
    stage: Stage,
) -> None:
    async with a_poisoned_log(stage, failing=(7, 13, 16)):
        async with await stage.log.connect(TIMELINE.shard_key) as connection:
            for position in (13, 16):
                work = PICKY.generation(1).work
                with pytest.raises(psycopg.DataError):
                    await resume(connection, "timeline_g1", "ann", work, skip=True)
                [key] = await parked(stage)
                assert key.position == position
            assert await positions_of(stage, "ann") == [1, 4, 10]
            await resume(connection, "timeline_g1", "ann", TIMELINE.generation(1).work)
        assert await positions_of(stage, "ann") == [1, 4, 10, 16, 19]
        assert not await parked(stage)


async def test_events_that_fail_one_behind_the_other_are_skipped_one_by_one(stage: Stage) -> None:
    amounts = ("1", "much", "more", "most")
    await stage.record(*(sent("ann", "Paid", amount=amount) for amount in amounts))
    async with stage.projecting(PICKY), await stage.log.connect(TIMELINE.shard_key) as connection:
        await stage.caught_up("timeline_g1")
        for position in (3, 4):
            with pytest.raises(psycopg.DataError):
                await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work, skip=True)
            assert [key.position for key in await parked(stage)] == [position]
        await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work, skip=True)
        assert not await parked(stage)
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")
        assert await positions_of(stage, "ann") == [1, 5]


@pytest.mark.parametrize(
    "error", [psycopg.errors.DeadlockDetected("busy"), psycopg.errors.UndefinedTable("no table")]
)
async def test_what_is_not_an_events_fault_leaves_a_key_as_it_was_parked(
    stage: Stage, error: psycopg.Error
) -> None:
    async def fail(_: Connection) -> None:
        raise error

    async with a_poisoned_log(stage), await stage.log.connect(TIMELINE.shard_key) as connection:
        before = await parked(stage)
        with pytest.raises(type(error)):
            await resume(connection, "timeline_g1", "ann", fail, skip=True)
        assert await parked(stage) == before
        assert not await stage.fetch("SELECT FROM skipped_events")


class Overtaken:
    """A connection before whose next statement, once work has failed, somebody else is faster."""

    def __init__(self, connection: Connection, stage: Stage) -> None:
        self._connection, self._stage = connection, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def closed(self) -> bool:
        with psycopg.connect(self._stage.database.conninfo()) as other:
            other.execute("UPDATE parked_keys SET position = 5")
        return self._connection.closed


@pytest.mark.parametrize(
    ("left_out", "skip", "outcome"), [(1, False, ZeroDivisionError), (9, True, NotFound)]
)
async def test_whoever_takes_up_a_key_undoes_nothing_that_another_has_done_meanwhile(
    stage: Stage, left_out: int, skip: bool, outcome: type[Exception]
) -> None:
    await stage.make_first(TIMELINE)
    await stage.record(*(sent("ann") for _ in range(left_out)))
    await park(stage, "timeline_g1", "ann")
    await stage.apply(TIMELINE.generation(1))

    async def fail(_: Connection) -> None:
        raise ZeroDivisionError

    async with await stage.log.connect(TIMELINE.shard_key) as connection:
        overtaken: Any = Overtaken(connection, stage)
        with pytest.raises(outcome):
            await resume(overtaken, "timeline_g1", "ann", fail, skip=skip)
    assert [(key.position, key.error) for key in await parked(stage)] == [(5, "no luck")]


def noted(into: list[tuple[str, bool]]) -> Callable[[ParkedKey, str | None], None]:
    return lambda key, error: into.append((key.consumer, error is None))


async def test_a_key_comes_back_in_every_generation_that_is_kept_up_to_date(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        await rebuild(stage.log, PICKY, handover=timedelta(0))
        outcomes: list[tuple[str, bool]] = []
        await resume_parked(stage.log, PICKY, tell=noted(outcomes))
        assert outcomes == [("timeline_g1", False), ("timeline_g2", False)]
        async with await stage.database.connect() as connection:
            assert [key.consumer for key in await parked_of(connection, PICKY)] == ["timeline_g2"]
        await resume_parked(stage.log, TIMELINE, key="ann", tell=noted(outcomes))
        assert outcomes[2:] == [("timeline_g1", True), ("timeline_g2", True)]
        await stage.caught_up("timeline_g1", "timeline_g2")
        contents = [await stage.contents(TIMELINE.generation(number)) for number in (1, 2)]
        assert contents[0] == contents[1]
        assert len(contents[0]["timeline"]) == 20


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
