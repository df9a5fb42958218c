"""Work that shards share: each key's events in order, none lost or repeated, at any number."""

import asyncio
import hashlib
import random
from collections import Counter
from datetime import timedelta

import pytest

from app.eventstore.checkpoints import positions_of
from projections.customers import CUSTOMERS
from projections.generations import make_first
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.sharding import reshard
from projections.timeline import TIMELINE
from projections.visits import VISITS
from tests.integration.projections.histories import history
from tests.integration.projections.stage import Stage, sent

pytestmark = pytest.mark.anyio

SEED = 5
AT_ONCE = timedelta(0)


async def shards_of(stage: Stage, consumer: str) -> dict[int, int]:
    async with await stage.database.connect() as connection:
        positions = await positions_of(connection, consumer)
    return {checkpoint.shard: position for checkpoint, position in positions.items()}


async def test_a_key_has_the_same_shard_everywhere(stage: Stage) -> None:
    """The hash is written down here too: whoever changes it would have events lost or repeated."""
    keys = ["ann", "ben", "~v", "é" * 9]
    rows = await stage.fetch("SELECT key, shard_of(key, 7) FROM unnest(%s::text[]) AS key", keys)
    digests = {key: hashlib.md5(key.encode()).hexdigest() for key in keys}  # noqa: S324 - no secret
    assert dict(rows) == {key: int(digest[:7], 16) % 7 for key, digest in digests.items()}


async def test_shards_share_keys_about_evenly(stage: Stage) -> None:
    rows = await stage.fetch(
        "SELECT shard_of('customer-' || n, 8) FROM generate_series(1, 8000) AS n"
    )
    counts = Counter(shard for (shard,) in rows)
    assert set(counts) == set(range(8))
    assert all(800 < count < 1200 for count in counts.values())


@pytest.mark.parametrize("shards", [2, 8])
async def test_read_models_are_the_same_at_any_number_of_shards(stage: Stage, shards: int) -> None:
    async with await stage.log.connect() as connection:
        await make_first(connection, PROJECTIONS, shards=shards)
    await stage.record(*history(random.Random(SEED), 300))
    async with stage.projecting(), stage.projecting():
        await stage.caught_up()
    for projection in PROJECTIONS:
        live = projection.generation(1)
        assert set(await shards_of(stage, live.name)) == set(range(projection.shards(shards)))
        number = await rebuild(stage.log, projection, jobs=1, handover=AT_ONCE)
        assert await stage.contents(projection.generation(number)) == await stage.contents(live)


async def test_a_rebuild_by_several_jobs_equals_one_by_one(stage: Stage) -> None:
    await stage.record(*history(random.Random(SEED), 300))
    for projection in PROJECTIONS:
        one = projection.generation(await rebuild(stage.log, projection, jobs=1, handover=AT_ONCE))
        several = projection.generation(
            await rebuild(stage.log, projection, jobs=3, shards=2, handover=AT_ONCE)
        )
        assert await stage.contents(several) == await stage.contents(one)
        assert len(await shards_of(stage, several.name)) == projection.shards(2)


async def test_resharding_under_load_loses_and_repeats_nothing(stage: Stage) -> None:
    chance = random.Random(SEED)
    async with stage.projecting(), stage.projecting():
        await stage.caught_up()
        for shards in (3, 8, 1, 5):
            recording = asyncio.create_task(stage.record(*history(chance, 100)))
            await asyncio.sleep(chance.uniform(0, 0.05))
            for projection in (TIMELINE, CUSTOMERS, VISITS):
                await reshard(stage.log, projection.generation(1), shards)
                assert len(await shards_of(stage, f"{projection.name}_g1")) == shards
            await recording
        await stage.caught_up()
    for projection in PROJECTIONS:
        fresh = projection.generation(await rebuild(stage.log, projection, handover=AT_ONCE))
        assert await stage.contents(fresh) == await stage.contents(projection.generation(1))


async def test_shards_that_are_apart_are_brought_to_one_position(stage: Stage) -> None:
    async with await stage.log.connect() as connection:
        await make_first(connection, [TIMELINE], shards=2)
    customers = [f"c{number}" for number in range(10)]
    await stage.record(*(sent(customer) for customer in customers * 3))
    await stage.fetch("UPDATE checkpoints SET position = 12 WHERE shard = 1 RETURNING 1")
    await stage.fetch(
        "INSERT INTO timeline_g1 SELECT position, event_id, stream, version, type, 'activity',"
        " schema_version, customer_id, data, metadata, occurred_at, recorded_at FROM events"
        " WHERE position <= 12 AND shard_of(customer_id, 2) = 1 RETURNING 1"
    )
    assert await reshard(stage.log, TIMELINE.generation(1), 3) == 12
    assert await shards_of(stage, "timeline_g1") == {0: 12, 1: 12, 2: 12}
    await stage.apply(TIMELINE.generation(1))
    rows = await stage.fetch("SELECT position FROM timeline_g1 ORDER BY position")
    assert [position for (position,) in rows] == list(range(1, 31))
