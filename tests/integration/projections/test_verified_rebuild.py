"""A rebuild is compared before queries read it, and is not read when it differs."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from projections.filling import Progress
from projections.generations import BUILDING, DIFFERING, READY
from projections.rebuild import rebuild
from projections.status import statuses
from projections.timeline import TIMELINE
from projections.verification import GenerationsDiffer, compare
from tests.integration.projections.poison import a_poisoned_log, parked
from tests.integration.projections.stage import Stage, sent
from tests.integration.projections.test_rebuild import AT_ONCE, Killed, read_generation
from tests.integration.projections.test_verification import FORGED, live_timeline, states

pytestmark = pytest.mark.anyio


async def test_a_rebuild_that_differs_from_what_is_read_is_not_read(stage: Stage) -> None:
    await live_timeline(stage)
    await stage.fetch(FORGED)
    with pytest.raises(GenerationsDiffer, match=r"timeline_g2 differs from timeline_g1 .*ben"):
        await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    assert await states(stage) == {1: READY, 2: DIFFERING}
    assert await read_generation(stage) == 1
    async with await stage.database.connect() as connection:
        [timeline] = await statuses(connection, [TIMELINE])
    assert "differs" in str(timeline.generations[1].last_error)
    assert (timeline.generations[1].state, timeline.generations[1].phase) == (DIFFERING, None)
    async with stage.projecting():
        await stage.record(sent("ann"))
        await stage.caught_up()
    assert await stage.position("timeline_g2") == 32


async def test_the_next_rebuild_drops_what_differed_and_begins_from_scratch(stage: Stage) -> None:
    await live_timeline(stage)
    await stage.fetch(FORGED)
    with pytest.raises(GenerationsDiffer):
        await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    await stage.fetch(
        "UPDATE timeline_g1 AS entry SET type = event.type FROM events AS event"
        " WHERE event.position = entry.position RETURNING 1"
    )
    await stage.fetch("DELETE FROM timeline_g2 RETURNING 1")
    assert await rebuild(stage.log, TIMELINE, handover=AT_ONCE) == 2
    assert await states(stage) == {1: READY, 2: READY}
    assert await stage.contents(TIMELINE.generation(2)) == await stage.contents(
        TIMELINE.generation(1)
    )


async def test_a_rebuild_that_mends_what_was_parked_passes(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        assert [key.key for key in await parked(stage)] == ["ann"]
        number = await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    assert await read_generation(stage) == number == 2
    [(mended,)] = await stage.fetch("SELECT count(*) FROM timeline_g2 WHERE customer_id = 'ann'")
    assert mended == 7


NEWER = replace(TIMELINE, version=TIMELINE.version + 1)


async def test_a_changed_definition_is_checked_by_a_sample_made_another_way(stage: Stage) -> None:
    await live_timeline(stage)
    assert await rebuild(stage.log, NEWER, handover=AT_ONCE) == 2
    assert await states(stage) == {1: READY, 2: READY}
    assert await read_generation(stage) == 2


@pytest.mark.usefixtures("watchful_projectors")
async def test_a_changed_definition_whose_rows_depend_on_the_batches_is_not_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps a customer's last event in a batch: the rows depend on where batches end."""
    apply = TIMELINE.apply
    assert apply
    text = apply().replace(
        "WHERE customer_id IS NOT NULL;",
        "WHERE customer_id IS NOT NULL AND position IN (SELECT max(position) FROM batch"
        " GROUP BY customer_id);",
    )
    monkeypatch.setattr("projections.filling.MAX_BATCH_EVENTS", 10)
    await live_timeline(stage)
    wrong = replace(NEWER, apply=lambda: text)
    with pytest.raises(GenerationsDiffer, match="ann, ben, cid"):
        await rebuild(stage.log, wrong, handover=AT_ONCE)
    assert await states(stage) == {1: READY, 2: DIFFERING}
    assert await read_generation(stage) == 1
    async with stage.projecting(wrong):  # does not try again and again
        await asyncio.sleep(0.3)
    assert await states(stage) == {1: READY, 2: DIFFERING}


async def test_what_is_recorded_during_the_comparison_is_in_what_is_read_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_timeline(stage)
    seen: list[tuple[dict[int, str], int]] = []

    async def look(*arguments: Any) -> Any:
        found = await compare(*arguments)
        await stage.record(sent("ann"))
        seen.append((await states(stage), await read_generation(stage)))
        return found

    monkeypatch.setattr("projections.rebuild.compare", look)
    await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    assert seen == [({1: READY, 2: BUILDING}, 1)]
    assert await read_generation(stage) == 2
    assert await stage.position("timeline_g2") == 33


async def test_the_phase_of_a_rebuild_is_shown_until_it_is_done(stage: Stage) -> None:
    await live_timeline(stage)

    def die_when_verifying(at: Progress) -> None:
        if at.phase == "verifying":
            raise Killed

    async def phase() -> str | None:
        async with await stage.database.connect() as connection:
            [timeline] = await statuses(connection, [TIMELINE])
        return timeline.generations[1].phase

    with pytest.raises(Killed):
        await rebuild(stage.log, TIMELINE, on_progress=die_when_verifying)
    assert await phase() == "verifying"
    await rebuild(stage.log, TIMELINE, handover=AT_ONCE)
    assert await phase() is None
