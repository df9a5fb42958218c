"""A rebuild that is told that the log is right mends what queries read."""

import asyncio
from functools import partial

import pytest
from structlog.testing import capture_logs

from app.cli import main
from app.eventstore.database import Database
from projections import filling
from projections.generations import BUILDING, DIFFERING, READY
from projections.rebuild import rebuild
from projections.rebuild_routes import rebuild_routes
from projections.registry import projection_named
from projections.timeline import TIMELINE
from projections.verification import Comparison, GenerationsDiffer, verify
from tests.integration.projections.poison import PICKY, a_poisoned_log
from tests.integration.projections.stage import Stage, opened_stage, until
from tests.integration.projections.test_rebuild import (
    AT_ONCE,
    Killed,
    is_read,
    kill_at,
    read_generation,
)
from tests.integration.projections.test_verification import FORGED, live_timeline, states
from tests.unit.http.asking import app_of, post

pytestmark = pytest.mark.anyio


async def test_differences_that_are_accepted_are_told_and_read_from_then_on(stage: Stage) -> None:
    await live_timeline(stage)
    await stage.fetch(FORGED)
    told: list[Comparison] = []
    with pytest.raises(GenerationsDiffer, match=r"rebuild timeline --accept-differences$"):
        await rebuild(stage.log, TIMELINE, on_differences=told.append, handover=AT_ONCE)
    assert await states(stage) == {1: READY, 2: DIFFERING}
    with capture_logs() as logged:
        number = await rebuild(
            stage.log,
            TIMELINE,
            on_differences=told.append,
            accept_differences=True,
            handover=AT_ONCE,
        )
    assert await read_generation(stage) == number
    assert await states(stage) == {1: READY, number: READY}
    assert [(each.named, each.count) for found in told for each in found.differences] == [
        (("ben",), 1)
    ] * 2
    [line] = [line for line in logged if line["event"] == "differences_accepted"]
    assert line["differences"].endswith("at position 32 in timeline (1): ben")
    assert not (await verify(stage.log, TIMELINE)).differences


async def test_a_key_of_which_an_event_was_skipped_is_mended_by_the_log(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        await stage.fetch("DELETE FROM parked_keys RETURNING 1")  # without what it left out
    with pytest.raises(GenerationsDiffer, match="ann"):
        await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    await rebuild(stage.log, TIMELINE, accept_differences=True, handover=AT_ONCE)
    assert not (await verify(stage.log, TIMELINE)).differences
    assert (await verify(stage.log, PICKY)).left_out == 1


async def test_what_a_killed_rebuild_was_asked_still_holds_for_whoever_takes_it_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "MAX_BATCH_EVENTS", 10)
    await live_timeline(stage)
    await stage.fetch(FORGED)
    throttles: list[float | None] = []

    class NotedThrottle(filling.Throttle):
        def __init__(self, events_per_s: float | None = None) -> None:
            super().__init__(events_per_s)
            throttles.append(events_per_s)

    monkeypatch.setattr("projections.rebuild.Throttle", NotedThrottle)
    with pytest.raises(Killed):
        await rebuild(
            stage.log,
            TIMELINE,
            on_progress=kill_at("loading"),
            accept_differences=True,
            drop_old=True,
            throttle=1000,
        )
    assert await states(stage) == {1: READY, 2: BUILDING}
    async with stage.projecting():
        await until(partial(is_read, stage, 2))

        async def is_alone() -> bool:
            return await states(stage) == {2: READY}

        await until(is_alone)
    assert throttles == [1000, 1000]


async def test_differences_are_accepted_over_http_even_of_what_is_being_built(
    stage: Stage,
) -> None:
    await live_timeline(stage)
    await stage.fetch(FORGED)
    app = app_of(*rebuild_routes(stage.store.pool, projection_named, stage.acts))
    for body in (b"", b"{}", b'{"accept_differences": true}', b'{"accept_differences": false}'):
        answer = await post(app, "/v1/projections/timeline/rebuild", body)
        assert (answer.status, answer.json()["generation"]) == (202, 2)
    refused = await post(app, "/v1/projections/timeline/rebuild", b'{"accept_difference": true}')
    assert (refused.status, refused.json()["field"]) == (400, "accept_difference")
    async with stage.projecting():
        await until(partial(is_read, stage, 2))
    assert not (await verify(stage.log, TIMELINE)).differences


def test_the_command_line_mends_what_differs_from_the_log(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Logs would go to what is captured here, from the tests behind this one too.
    for command in ("rebuild", "verify"):
        monkeypatch.setattr(f"app.cli.{command}.configure_logs", lambda *_: None)
    monkeypatch.setenv("TIDINGS_ACCEPT_DATA_LOSS", "true")

    async def corrupt() -> None:
        async with opened_stage(database) as stage:
            await live_timeline(stage)
            await stage.fetch(FORGED)

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--database-url", database.url])
        return ended.value.code, *capsys.readouterr()

    asyncio.run(corrupt())
    status, said, _ = run("projections", "verify", "timeline")
    assert status == 1
    assert "To mend it: tidings rebuild timeline --accept-differences" in said
    status, said, complaint = run("rebuild", "timeline")
    assert status == 1
    assert "timeline: 32 rows, 32 by timeline_g1; 1 differ by customer_id" in said
    assert "if the log is right: tidings rebuild timeline --accept-differences" in complaint
    status, said, _ = run("rebuild", "timeline", "--accept-differences")
    assert status == 0
    assert "1 differ by customer_id" in said
    assert "Queries of timeline read generation 2 now." in said
    assert run("projections", "verify", "timeline")[0] == 0
