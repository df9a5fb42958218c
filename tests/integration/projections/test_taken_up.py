"""A rebuild that is asked for, or that nobody is at any more, is taken up by a projector, once."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from app.eventstore.database import Connection
from projections import filling
from projections.filling import only_work_on
from projections.generations import BUILDING, READY, next_generation, unbuilt
from projections.projection import Projection
from projections.rebuild import rebuild
from projections.rebuild_routes import rebuild_routes
from projections.registry import projection_named
from projections.timeline import TIMELINE
from tests.integration.projections.stage import Stage, sent, until
from tests.integration.projections.test_rebuild import (
    AT_ONCE,
    Killed,
    entries,
    generations,
    is_read,
    kill_at,
)
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio


async def test_a_rebuild_that_was_killed_is_taken_up_by_a_projector(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "MAX_BATCH_EVENTS", 10)
    await stage.make_first()
    await stage.record(*(sent("ann", number=number) for number in range(40)))
    with pytest.raises(Killed):
        await rebuild(stage.log, TIMELINE, on_progress=kill_at("loading", 2), jobs=1)
    async with stage.projecting():
        await until(partial(is_read, stage, 2))
        await stage.caught_up("timeline_g1", "timeline_g2")
    assert await generations(stage) == {1: READY, 2: READY}
    assert await entries(stage, 2) == 40


async def test_a_rebuild_that_somebody_is_at_is_left_to_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.projector.BUILD_RETRY_AFTER", timedelta(seconds=0.1))
    await stage.make_first()
    await stage.record(sent("ann"))
    async with await stage.log.connect() as somebody:
        await only_work_on(somebody, TIMELINE)
        async with await stage.log.connect() as connection:
            await next_generation(connection, TIMELINE)
        async with stage.projecting():
            await stage.caught_up("timeline_g1")
            await asyncio.sleep(0.5)
            assert await stage.position("timeline_g2") == 0
            await somebody.close()
            await until(partial(is_read, stage, 2))


async def test_what_somebody_has_finished_meanwhile_is_not_built_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    async with await stage.log.connect() as connection:
        await next_generation(connection, TIMELINE)
    answered: list[int] = []

    async def finished_by_somebody_else(
        connection: Connection, projections: Iterable[Projection[Any]]
    ) -> list[Projection[Any]]:
        found = await unbuilt(connection, projections)
        if found:
            assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 2
        return found

    async def rebuild_and_tell(*arguments: Any, **named: Any) -> None:
        answered.append(await rebuild(*arguments, **named))

    async def has_answered() -> bool:
        return bool(answered)

    monkeypatch.setattr("projections.projector.unbuilt", finished_by_somebody_else)
    monkeypatch.setattr("projections.projector.rebuild", rebuild_and_tell)
    async with stage.projecting():
        await until(has_answered)
    assert answered == [2]
    assert await generations(stage) == {1: READY, 2: READY}


async def test_a_rebuild_that_is_asked_for_is_built_by_a_projector(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    app = app_of(*rebuild_routes(stage.store.pool, projection_named, stage.acts))
    for _ in range(2):
        answer = await ask(app, "POST", "/v1/projections/timeline/rebuild")
        assert answer.status == 202
        assert answer.json() == {"projection": "timeline", "generation": 2}
    assert await generations(stage) == {1: READY, 2: BUILDING}
    async with stage.projecting():
        await until(partial(is_read, stage, 2))
    assert await entries(stage, 2) == 1
    answer = await ask(app, "POST", "/v1/projections/timeline/rebuild")
    assert answer.json()["generation"] == 3


async def test_a_rebuild_of_what_does_not_exist_is_not_found(stage: Stage) -> None:
    app = app_of(*rebuild_routes(stage.store.pool, projection_named, stage.acts))
    for name in ("nothing", "timeline_g1", "%20", "é", "x" * 3000):
        answer = await ask(app, "POST", f"/v1/projections/{quote(name, safe='%')}/rebuild")
        assert (answer.status, answer.code) == (404, "not-found"), name
    answer = await ask(app, "POST", "/v1/projections/timeline/rebuild?jobs=2")
    assert (answer.status, answer.json()["field"]) == (400, "jobs")
    assert await generations(stage) == {}
