"""Read models take turns, and none depends on another for it."""

import pytest

from projections.registry import PROJECTIONS
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import Stage, sent

pytestmark = [pytest.mark.anyio, on_one_server]


async def test_read_models_that_wait_for_a_lock_hold_up_no_other(stage: Stage) -> None:
    first, *others = (projection.generation(1) for projection in PROJECTIONS)
    await stage.make_first()
    async with stage.projecting(), await stage.database.connect() as holder:
        async with holder.transaction():
            for generation in others:
                tables = ", ".join(generation.table_names)
                await holder.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
            for minutes in range(5):
                await stage.record(sent("ann", minutes=minutes))
                await stage.caught_up(first.name)
        await stage.caught_up()
