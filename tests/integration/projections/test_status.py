"""What is told of the projections' state is so."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.status import ProjectionStatus, rates_per_s, statuses
from projections.timeline import TIMELINE
from tests.integration.projections.stage import Stage, sent

pytestmark = pytest.mark.anyio


async def timeline_status(stage: Stage) -> ProjectionStatus:
    async with await stage.database.connect() as connection:
        found = await statuses(connection, PROJECTIONS)
    assert [status.name for status in found] == [projection.name for projection in PROJECTIONS]
    return found[0]


async def test_a_store_without_generations_has_none_to_read(stage: Stage) -> None:
    status = await timeline_status(stage)
    assert (status.generations, status.read) == ([], None)


async def test_lag_is_told_in_events_and_seconds_until_it_is_gone(stage: Stage) -> None:
    await stage.make_first()
    before = await timeline_status(stage)
    assert before.read is not None
    assert (before.read.lag_events, before.read.lag_seconds) == (0, 0)
    await stage.record(sent("ann"), sent("ann"), sent("ann"))
    await stage.fetch("UPDATE clock SET offset_by = '1 hour' RETURNING 1")
    lagging = (await timeline_status(stage)).read
    assert lagging is not None
    assert (lagging.position, lagging.lag_events) == (0, 3)
    assert 3600 <= lagging.lag_seconds < 4000
    await stage.apply(TIMELINE.generation(1))
    after = await timeline_status(stage)
    assert after.read is not None
    assert (after.read.position, after.read.lag_events, after.read.lag_seconds) == (3, 0, 0)
    assert 0 < rates_per_s(before, after)["timeline_g1"] <= 3 / 3600
    assert not rates_per_s(after, after)
    taken_back = replace(before, looked_at=after.looked_at + timedelta(seconds=1))
    assert rates_per_s(after, taken_back)["timeline_g1"] == 0


async def test_every_generation_is_listed_with_its_state_and_error(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    await rebuild(stage.log, TIMELINE, handover=timedelta(0))
    await stage.fetch(
        "UPDATE checkpoints SET last_error = 'no luck' WHERE consumer = 'timeline_g1' RETURNING 1"
    )
    status = await timeline_status(stage)
    assert [
        (each.name, each.state, each.is_read, each.position, each.last_error)
        for each in status.generations
    ] == [("timeline_g1", "ready", False, 1, "no luck"), ("timeline_g2", "ready", True, 1, None)]
    assert status.read == status.generations[1]
