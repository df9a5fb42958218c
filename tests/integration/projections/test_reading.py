"""Queries answer late enough, from the right tables, or say that they cannot."""

import asyncio
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.kernel.errors import PositionBeyondHead, ReadModelBehind, StoreUnavailable
from projections.generations import GenerationRow, drop
from projections.reading import ReadModels
from projections.rebuild import rebuild
from projections.timeline import TIMELINE
from projections.timeline.queries import Timelines
from tests.integration.projections.stage import CATALOGUE, Stage, sent

pytestmark = pytest.mark.anyio


async def test_a_query_sees_what_was_recorded_up_to_its_min_position(stage: Stage) -> None:
    timelines = Timelines(stage.models, CATALOGUE)
    async with stage.projecting():
        await stage.caught_up()
        for number in range(1, 30):
            position = await stage.record(sent("ann", number=number))
            page = await timelines.page("ann", limit=100, min_position=position)
            assert len(page.items) == number


async def test_a_query_waits_for_its_read_model_and_holds_no_connection(stage: Stage) -> None:
    await stage.make_first()
    position = await stage.record(sent("ann"))
    engine = stage.database.engine(max_size=1)
    timelines = Timelines(ReadModels(engine, min_position_timeout=timedelta(minutes=1)), CATALOGUE)
    waiting = [
        asyncio.create_task(timelines.page("ann", limit=1, min_position=position))
        for _ in range(20)
    ]
    await asyncio.sleep(0.1)
    assert (await timelines.page("ann", limit=1)).items == []
    assert not any(task.done() for task in waiting)
    await stage.apply(TIMELINE.generation(1))
    pages = await asyncio.gather(*waiting)
    assert [len(page.items) for page in pages] == [1] * 20
    await engine.dispose()


async def test_a_query_gives_up_on_a_read_model_that_does_not_come(stage: Stage) -> None:
    await stage.make_first()
    position = await stage.record(sent("ann"))
    models = ReadModels(
        stage.database.engine(max_size=1), min_position_timeout=timedelta(milliseconds=20)
    )
    with pytest.raises(ReadModelBehind, match="position 0"):
        await Timelines(models, CATALOGUE).page("ann", limit=1, min_position=position)
    await models._engine.dispose()


async def test_a_position_beyond_the_head_is_refused_at_once(stage: Stage) -> None:
    await stage.make_first()
    position = await stage.record(sent("ann"))
    with pytest.raises(PositionBeyondHead):
        await Timelines(stage.models, CATALOGUE).page("ann", limit=1, min_position=position + 1)


async def test_a_read_model_that_was_never_built_is_behind(stage: Stage) -> None:
    with pytest.raises(ReadModelBehind, match="being built"):
        await Timelines(stage.models, CATALOGUE).page("ann", limit=1)


async def test_a_generation_that_is_dropped_under_a_query_is_left_for_the_new_one(
    stage: Stage,
) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    timelines = Timelines(stage.models, CATALOGUE)
    assert (await timelines.page("ann", limit=1)).items == []
    await rebuild(stage.log, TIMELINE, handover=timedelta(0))
    async with await stage.database.connect() as connection:
        assert await drop(connection, GenerationRow("timeline", 1, TIMELINE.version, "ready"))
    assert len((await timelines.page("ann", limit=1)).items) == 1
    position = await stage.record(sent("ann"))
    await stage.apply(TIMELINE.generation(2))
    assert len((await timelines.page("ann", limit=9, min_position=position)).items) == 2


async def test_a_lost_connection_costs_a_query_nothing(stage: Stage) -> None:
    await stage.make_first()
    timelines = Timelines(stage.models, CATALOGUE)
    for _ in range(3):
        await asyncio.gather(*(timelines.page("ann", limit=1) for _ in range(8)))
        await stage.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert (await timelines.page("ann", limit=1)).items == []


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: object) -> None:
    engine = Database(f"postgresql://postgres@/store?host={tmp_path}").engine(max_size=1)
    models = ReadModels(engine, min_position_timeout=timedelta(seconds=1))
    with pytest.raises(StoreUnavailable):
        await Timelines(models, CATALOGUE).page("ann", limit=1)
    await engine.dispose()
