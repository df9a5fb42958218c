"""Queries answer late enough, from the right tables, or say that they cannot."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.database import Database, fetch
from app.kernel.errors import PositionBeyondHead, ReadModelBehind, StoreUnavailable
from projections import reading
from projections.customers.queries import Customers
from projections.customers.search import ByIdPrefix
from projections.dropping import drop
from projections.generations import GenerationRow
from projections.reading import compiled
from projections.rebuild import rebuild
from projections.timeline import TIMELINE
from projections.timeline.queries import Timelines
from tests.integration.projections.stage import Stage, opened_models, sent

pytestmark = pytest.mark.anyio

RUNS_BEFORE_PREPARING = 5
RUNS = 9
END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


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
    async with opened_models(stage.database, max_size=1) as models:
        timelines = Timelines(models, CATALOGUE)
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


async def test_what_a_crash_takes_back_between_promise_and_answer_is_waited_for_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.make_first()
    position = await stage.record(sent("ann"))
    await stage.apply(TIMELINE.generation(1))
    behind = reading._behind
    promises = 0

    async def crash_after_it(*asked: Any) -> Any:
        nonlocal promises
        answer = await behind(*asked)
        promises += answer is None
        if answer is not None:
            await stage.apply(TIMELINE.generation(1))
        elif promises == 1:
            await stage.fetch("DELETE FROM timeline_g1 RETURNING position")
            await stage.fetch("UPDATE checkpoints SET position = 0 RETURNING position")
            await stage.fetch(END_OTHER_SESSIONS)
        return answer

    monkeypatch.setattr(reading, "_behind", crash_after_it)
    page = await Timelines(stage.models, CATALOGUE).page("ann", limit=1, min_position=position)
    assert [entry.position for entry in page.items] == [position]
    assert promises == 2


async def test_a_query_gives_up_on_a_read_model_that_does_not_come(stage: Stage) -> None:
    await stage.make_first()
    position = await stage.record(sent("ann"))
    soon = timedelta(milliseconds=20)
    async with opened_models(stage.database, max_size=1, patience=soon) as models:
        with pytest.raises(ReadModelBehind, match="position 0"):
            await Timelines(models, CATALOGUE).page("ann", limit=1, min_position=position)


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
    for _ in range(RUNS):
        assert (await timelines.page("ann", limit=1)).items == []
    await rebuild(stage.log, TIMELINE, handover=timedelta(0))
    async with await stage.database.connect() as connection:
        assert await drop(connection, GenerationRow("timeline", 1, TIMELINE.version, "ready"))
    assert len((await timelines.page("ann", limit=1)).items) == 1
    position = await stage.record(sent("ann"))
    await stage.apply(TIMELINE.generation(2))
    assert len((await timelines.page("ann", limit=9, min_position=position)).items) == 2


async def test_a_query_is_prepared_once_and_reads_even_small_tables_by_their_indexes(
    stage: Stage,
) -> None:
    await stage.make_first()
    async with opened_models(stage.database, max_size=1) as models:
        timelines, customers = Timelines(models, CATALOGUE), Customers(models)
        for number in range(RUNS):
            await timelines.page(f"ann-{number}", limit=number + 1)
            await customers.page(ByIdPrefix(f"ann-{number}"), limit=number + 1)
        prepared = await fetch(
            models._pool,
            "SELECT name, cardinality(parameter_types), generic_plans + custom_plans"
            " FROM pg_prepared_statements WHERE statement LIKE '%%LATERAL%%'",
            (),
        )
        assert len(prepared) == 2
        for name, parameters, runs in prepared:
            assert runs == RUNS - RUNS_BEFORE_PREPARING
            nulls = ", ".join(["NULL"] * parameters)
            plan = await fetch(models._pool, f"EXPLAIN EXECUTE {name}({nulls})".encode(), ())
            assert "Seq Scan" not in str(plan)


async def test_a_value_that_is_composed_into_a_query_fails_every_run(stage: Stage) -> None:
    await stage.make_first()
    of_ann = compiled(lambda tables: tables.timeline.select().filter_by(customer_id="ann"))
    for _ in range(2):
        with pytest.raises(psycopg.ProgrammingError, match="parameter missing"):
            await stage.models.rows(TIMELINE, of_ann, {})


async def test_a_lost_connection_costs_a_query_nothing(stage: Stage) -> None:
    await stage.make_first()
    timelines = Timelines(stage.models, CATALOGUE)
    for _ in range(3):
        await asyncio.gather(*(timelines.page("ann", limit=1) for _ in range(8)))
        await stage.fetch(END_OTHER_SESSIONS)
    assert (await timelines.page("ann", limit=1)).items == []


async def test_a_server_that_is_not_there_is_unavailable(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.database.FETCH_FOR", timedelta(0))
    nowhere = Database(f"postgresql://postgres@/store?host={tmp_path}")
    async with opened_models(nowhere, max_size=1) as models:
        with pytest.raises(StoreUnavailable):
            await Timelines(models, CATALOGUE).page("ann", limit=1)
