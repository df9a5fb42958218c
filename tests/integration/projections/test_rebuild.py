"""A rebuild is never seen before it is whole, can die anywhere, and disturbs nobody."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.catalogue import CATALOGUE
from app.kernel.errors import Refused
from projections import filling
from projections import rebuild as rebuilding
from projections.filling import Filling, Progress, RebuildRunning, only_work_on
from projections.generations import BUILDING, READY, all_generations
from projections.reading import compiled
from projections.rebuild import rebuild, rollback
from projections.registry import PROJECTIONS
from projections.timeline import TIMELINE
from projections.timeline.queries import Timelines
from tests.integration.projections.stage import Stage, sent, until

pytestmark = pytest.mark.anyio

AT_ONCE = timedelta(0)


class Killed(BaseException):
    """Stands for the death of the rebuilding process."""


def kill_at(phase: str, batch: int = 1) -> Callable[[Progress], None]:
    seen = 0

    def on_progress(progress: Progress) -> None:
        nonlocal seen
        seen += progress.phase == phase
        if seen == batch:
            raise Killed

    return on_progress


async def generations(stage: Stage) -> dict[int, str]:
    async with await stage.database.connect() as connection:
        rows = await all_generations(connection)
    return {row.generation: row.state for row in rows if row.name == "timeline"}


async def read_generation(stage: Stage) -> int:
    [(generation,)] = await stage.fetch(
        "SELECT generation FROM projection_pointers WHERE name = 'timeline'"
        " ORDER BY definition_version DESC LIMIT 1"
    )
    return int(generation)


async def entries(stage: Stage, generation: int) -> int:
    [(count,)] = await stage.fetch(f"SELECT count(*) FROM timeline_g{generation}")
    return int(count)


async def is_read(stage: Stage, generation: int) -> bool:
    return await read_generation(stage) == generation


@pytest.mark.parametrize(
    ("phase", "applied"), [("loading", 20), ("indexing", 40), ("catching up", 41)]
)
async def test_a_killed_rebuild_continues_where_it_stood(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, phase: str, applied: int
) -> None:
    monkeypatch.setattr(filling, "MAX_BATCH_EVENTS", 10)
    await stage.make_first()
    await stage.record(*(sent("ann", number=number) for number in range(40)))
    index = Filling.index

    async def index_while_events_come(building: Filling) -> None:
        await index(building)
        await stage.record(sent("ben"))

    monkeypatch.setattr(Filling, "index", index_while_events_come)
    on_progress = kill_at(phase, 2 if phase == "loading" else 1)
    with pytest.raises(Killed):
        await rebuild(stage.log, TIMELINE, on_progress=on_progress, jobs=1, handover=AT_ONCE)
    assert await generations(stage) == {1: READY, 2: BUILDING}
    assert await read_generation(stage) == 1
    assert await stage.position("timeline_g2") == applied
    assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 2
    assert await generations(stage) == {1: READY, 2: READY}
    assert await entries(stage, 2) == await stage.store.head()


async def test_queries_read_the_new_generation_only_when_it_is_whole(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.reading.POINTER_LIFETIME", timedelta(seconds=0.1))
    await stage.make_first()
    await stage.record(*(sent("ann", number=number) for number in range(30)))
    timelines = Timelines(stage.models, CATALOGUE)
    answers: list[int] = []
    rebuilt = asyncio.Event()

    async def ask_all_the_time() -> None:
        while not rebuilt.is_set():
            page = await timelines.page("ann", limit=100)
            answers.append(len(page.items))

    await stage.apply(TIMELINE.generation(1))
    async with asyncio.TaskGroup() as tasks, stage.projecting():
        tasks.create_task(ask_all_the_time())
        for generation in (2, 3, 4):
            number = await rebuild(stage.log, TIMELINE, drop_old=True, handover=AT_ONCE)
            assert number == generation
            await stage.record(sent("ann", "After"))
        rebuilt.set()
    assert len(answers) > 10
    assert answers == sorted(answers)
    assert answers[0] == 30


@pytest.mark.usefixtures("watchful_projectors")
async def test_exactly_one_former_generation_is_kept_and_kept_up_to_date(stage: Stage) -> None:
    async with stage.projecting():
        await stage.record(sent("ann"))
        await stage.caught_up()
        for expected in (2, 3, 4):
            assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == expected
            assert await generations(stage) == {expected - 1: READY, expected: READY}
        assert await read_generation(stage) == 4
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g3", "timeline_g4")
    assert await entries(stage, 3) == await entries(stage, 4) == 2
    tables = await stage.fetch("SELECT relname FROM pg_class WHERE relname ~ '^timeline.*_g[12]$'")
    assert tables == []
    assert await stage.position("timeline_g2") is None


async def test_the_former_generation_is_dropped_on_request(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    assert await rebuild(stage.log, TIMELINE, drop_old=True, handover=AT_ONCE) == 2
    assert await generations(stage) == {2: READY}


async def test_a_generation_that_somebody_still_reads_is_left_for_the_next_rebuild(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.dropping.MAX_DROP_ATTEMPTS", 1)
    await stage.make_first()
    await stage.record(sent("ann"))
    async with await stage.database.connect() as reading, reading.transaction():
        await reading.execute("SELECT * FROM timeline_g1")
        await rebuild(stage.log, TIMELINE, drop_old=True, handover=AT_ONCE)
        assert await generations(stage) == {1: READY, 2: READY}
    await rebuild(stage.log, TIMELINE, drop_old=True, handover=AT_ONCE)
    assert await generations(stage) == {3: READY}


async def test_two_rebuilds_of_one_projection_at_once_are_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "LOCK_PAUSE_S", 0)
    await stage.make_first()
    async with await stage.log.connect() as other:
        await only_work_on(other, TIMELINE)
        with pytest.raises(RebuildRunning):
            await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 2


async def test_rebuilding_an_empty_log_is_quick_and_right(stage: Stage) -> None:
    assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 1
    assert await generations(stage) == {1: READY}


async def test_progress_tells_how_far_it_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MAX_BATCH_EVENTS", 10)
    await stage.record(*(sent("ann", number=number) for number in range(25)))
    seen: list[Progress] = []
    await rebuild(stage.log, TIMELINE, on_progress=seen.append, jobs=1, handover=AT_ONCE)
    assert [(at.phase, at.position, at.head) for at in seen] == [
        ("loading", 10, 25),
        ("loading", 20, 25),
        ("loading", 25, 25),
        ("indexing", 25, 25),
        ("verifying", 25, 25),
    ]


@pytest.mark.usefixtures("watchful_projectors")
async def test_a_new_definition_is_built_beside_the_old_one_which_old_code_goes_on_reading(
    stage: Stage,
) -> None:
    newer = replace(TIMELINE, version=TIMELINE.version + 1)
    async with stage.projecting():
        await stage.record(sent("ann"))
        await stage.caught_up()
        async with stage.projecting(newer):

            async def is_built() -> bool:
                return await read_generation(stage) == 2

            await until(is_built)
            await stage.record(sent("ann"))
            await stage.caught_up("timeline_g1", "timeline_g2")
    assert await generations(stage) == {1: READY, 2: READY}
    old, new = (
        Timelines(stage.models, CATALOGUE),
        await stage.models.rows(newer, compiled(lambda tables: tables.timeline.select()), {}),
    )
    assert len((await old.page("ann", limit=10)).items) == len(new) == 2


async def test_the_first_generation_is_read_at_once_and_made_once(stage: Stage) -> None:
    await asyncio.gather(*(stage.make_first() for _ in range(5)))
    async with await stage.database.connect() as connection:
        rows = await all_generations(connection)
    assert sorted((row.name, row.generation, row.state) for row in rows) == sorted(
        (projection.name, 1, READY) for projection in PROJECTIONS
    )
    assert (await Timelines(stage.models, CATALOGUE).page("ann", limit=10)).items == []


async def test_what_is_appended_during_a_rebuild_is_in_it(stage: Stage) -> None:
    await stage.make_first()

    rebuilt = asyncio.Event()

    async def append_all_the_time() -> None:
        while not rebuilt.is_set():
            await stage.record(sent("ann"))

    async with asyncio.TaskGroup() as tasks, stage.projecting():
        tasks.create_task(append_all_the_time())
        await rebuild(stage.log, TIMELINE, handover=timedelta(seconds=0.2))
        head = await stage.store.head()
        assert (await stage.position("timeline_g2") or 0) >= head - 100
        rebuilt.set()
    await stage.apply(TIMELINE.generation(2))
    head = await stage.store.head()
    positions = await stage.fetch("SELECT position FROM timeline_g2 ORDER BY position")
    assert [position for (position,) in positions] == list(range(1, head + 1))


@pytest.mark.usefixtures("watchful_projectors")
async def test_queries_go_back_to_the_former_generation_and_forth(stage: Stage) -> None:
    async with stage.projecting():
        await stage.record(sent("ann"))
        await stage.caught_up()
        assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 2
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1", "timeline_g2")
        for former in (1, 2, 1):
            assert await rollback(stage.log, TIMELINE) == former
            assert await read_generation(stage) == former
        page = await Timelines(stage.models, CATALOGUE).page("ann", limit=10, min_position=2)
        assert len(page.items) == 2
        assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 3
    assert await generations(stage) == {1: READY, 3: READY}


async def test_where_there_is_no_former_generation_there_is_no_way_back(stage: Stage) -> None:
    with pytest.raises(Refused, match="no former generation"):
        await rollback(stage.log, TIMELINE)
    await stage.make_first()
    newer = replace(TIMELINE, version=TIMELINE.version + 1)
    await rebuild(stage.log, newer, handover=AT_ONCE)
    with pytest.raises(Refused, match="no former generation"):
        await rollback(stage.log, newer)
    assert await read_generation(stage) == 2


async def test_a_former_generation_that_is_far_behind_is_waited_for_and_then_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "NEAR_HEAD_EVENTS", 5)
    await stage.make_first()
    await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    await stage.record(*(sent("ann") for _ in range(6)))
    with pytest.raises(Refused, match="timeline_g1 is 6 events behind"):
        await rollback(stage.log, TIMELINE, patience=timedelta(seconds=0.1))
    assert await read_generation(stage) == 2
    waiting = asyncio.create_task(rollback(stage.log, TIMELINE))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await stage.apply(TIMELINE.generation(1))
    assert await waiting == 1
