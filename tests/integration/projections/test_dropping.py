"""A generation is dropped while others work, and nobody waits for that."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from projections.dropping import drop
from projections.generations import GenerationRow, all_generations
from projections.timeline import TIMELINE
from tests.integration.conftest import Server
from tests.integration.projections.stage import Stage, sent, until

pytestmark = pytest.mark.anyio

# A page or so is vacuumed in half a second.
SLOW = {
    "autovacuum_vacuum_threshold": 0,
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_cost_limit": 1,
    "autovacuum_vacuum_cost_delay": 100,
}
VACUUMED = """
SELECT 1 FROM pg_stat_progress_vacuum JOIN pg_stat_activity USING (pid)
WHERE backend_type = 'autovacuum worker' AND relid = (
    SELECT CASE WHEN %s THEN reltoastrelid ELSE oid END
    FROM pg_class WHERE relname = 'timeline_g1'
)
"""
WAITING = "SELECT 1 FROM pg_locks WHERE relation = 'timeline_g1'::regclass AND NOT granted"


@pytest.fixture
def eager_autovacuum(server: Server) -> Iterator[None]:
    """It looks every second."""
    server.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    server.execute("SELECT pg_reload_conf()")
    yield
    server.execute("ALTER SYSTEM RESET autovacuum_naptime")
    server.execute("SELECT pg_reload_conf()")


async def first_timeline(stage: Stage) -> GenerationRow:
    async with await stage.database.connect() as connection:
        return next(row for row in await all_generations(connection) if row.name == "timeline")


async def drop_it(stage: Stage) -> bool:
    row = await first_timeline(stage)
    async with await stage.log.connect() as connection:
        return await drop(connection, row)


@pytest.mark.parametrize("of_large_values", [False, True], ids=["rows", "large values"])
async def test_an_autovacuum_gives_way_to_a_drop(
    stage: Stage,
    eager_autovacuum: None,
    monkeypatch: pytest.MonkeyPatch,
    of_large_values: bool,
) -> None:
    monkeypatch.setattr("projections.dropping.MAX_DROP_ATTEMPTS", 5)  # not until it has ended
    await stage.make_first(TIMELINE)
    large = random.Random(1).randbytes(4000).hex()
    await stage.record(*(sent("ann", text=large) for _ in range(200)))
    await stage.apply(TIMELINE.generation(1))
    prefix, other = ("toast.", "") if of_large_values else ("", "toast.")
    options = ", ".join(f"{prefix}{name} = {value}" for name, value in SLOW.items())
    async with await stage.database.connect() as connection:
        await connection.execute(
            f"ALTER TABLE timeline_g1 SET ({options}, {other}autovacuum_enabled = off)".encode()
        )
        await connection.execute("DELETE FROM timeline_g1")

    async def is_vacuumed() -> bool:
        return bool(await stage.fetch(VACUUMED, of_large_values))

    await until(is_vacuumed)
    assert await drop_it(stage)
    assert await stage.fetch("SELECT 1 FROM pg_class WHERE relname = 'timeline_g1'") == []
    assert await stage.position("timeline_g1") is None


async def test_nobody_waits_for_a_drop_that_waits_for_a_vacuum(stage: Stage) -> None:
    await stage.make_first(TIMELINE)
    await stage.record(sent("ann"))

    async def is_waiting() -> bool:
        return bool(await stage.fetch(WAITING))

    async with await stage.database.connect() as vacuum:
        async with vacuum.transaction():  # with the lock of a VACUUM, which gives way to nobody
            await vacuum.execute("LOCK TABLE timeline_g1 IN SHARE UPDATE EXCLUSIVE MODE")
            dropping = asyncio.create_task(drop_it(stage))
            await until(is_waiting)
            await stage.apply(TIMELINE.generation(1))
            assert await stage.fetch("SELECT position FROM timeline_g1") == [(1,)]
            assert await is_waiting()
        assert await dropping


async def test_a_drop_that_somebody_does_not_give_way_to_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.dropping.VACUUM_LOCK_TIMEOUT_MS", 100)
    await stage.make_first(TIMELINE)
    async with await stage.database.connect() as vacuum, vacuum.transaction():
        await vacuum.execute("LOCK TABLE timeline_g1 IN SHARE UPDATE EXCLUSIVE MODE")
        assert not await drop_it(stage)
    assert await stage.position("timeline_g1") == 0
    assert await stage.fetch("SELECT reloptions FROM pg_class WHERE relname = 'timeline_g1'") == [
        (None,)
    ]
