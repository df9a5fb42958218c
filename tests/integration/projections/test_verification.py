"""A read model can be compared with the log, and with another generation, while all goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.cli import main
from app.eventstore.batch import Checkpoint, Claim, ShardKey
from app.eventstore.database import Database
from app.kernel.errors import Refused
from app.modules.customers.events import CustomerRegistered, CustomerTraitsChanged
from projections.customers import CUSTOMERS
from projections.differences import MAX_NAMED, differences
from projections.filling import Progress, RebuildRunning, only_work_on
from projections.generations import (
    READY,
    SCRATCH,
    all_generations,
    make_first,
    scratch_generation,
)
from projections.projection import Generation, Projection
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.timeline import TIMELINE
from projections.verification import GenerationsDiffer, compare, verify
from tests.integration.conftest import on_one_server
from tests.integration.projections.poison import PICKY, a_poisoned_log
from tests.integration.projections.stage import Stage, of_customer, opened_stage, sent, until
from tests.integration.projections.test_rebuild import AT_ONCE, Killed

pytestmark = pytest.mark.anyio

PAUSE_S = 0.03
FORGED = "UPDATE timeline_g1 SET type = 'Forged' WHERE customer_id = 'ben' RETURNING 1"


async def states(stage: Stage, name: str = "timeline") -> dict[int, str]:
    async with await stage.database.connect() as connection:
        rows = await all_generations(connection)
    return {row.generation: row.state for row in rows if row.name == name}


async def live_timeline(stage: Stage) -> None:
    """Events of three customers, all of them in the live generations."""
    await stage.make_first()
    await stage.record(*(sent(("ann", "ben", "cid")[n % 3], number=n) for n in range(30)))
    await stage.record(*(of_customer(who, CustomerRegistered({})) for who in ("ann", "ben")))
    for projection in PROJECTIONS:
        await stage.apply(projection.generation(1))


async def test_what_is_right_is_verified_and_nothing_stays_of_it(stage: Stage) -> None:
    await live_timeline(stage)
    phases: list[Progress] = []
    for projection in PROJECTIONS:
        before = await stage.contents(projection.generation(1))
        found = await verify(stage.log, projection, on_progress=phases.append)
        assert (found.generation, found.position) == (f"{projection.name}_g1", 32)
        assert not found.differences
        assert await states(stage, projection.name) == {1: READY}
        assert await stage.contents(projection.generation(1)) == before
    assert [at.phase for at in phases][-1] == "verifying"
    assert await stage.fetch("SELECT relname FROM pg_class WHERE relname ~ '_g2'") == []


@pytest.mark.parametrize(
    ("corruption", "table", "rows"),
    [
        (FORGED, "timeline", (32, 32)),
        ("DELETE FROM timeline_g1 WHERE customer_id = 'ben' RETURNING 1", "timeline", (21, 32)),
        (
            "INSERT INTO timeline_links_g1 VALUES ('ben', gen_random_uuid()) RETURNING 1",
            "timeline_links",
            (1, 0),
        ),
    ],
    ids=["changed", "lost", "made up"],
)
async def test_a_row_that_is_not_as_the_log_has_it_is_found_by_its_customer(
    stage: Stage, corruption: str, table: str, rows: tuple[int, int]
) -> None:
    await live_timeline(stage)
    await stage.fetch(corruption)
    found = await verify(stage.log, TIMELINE)
    [difference] = found.differences
    assert (difference.table, difference.by, difference.named) == (table, "customer_id", ("ben",))
    assert (difference.rows, difference.other_rows) == rows
    with pytest.raises(GenerationsDiffer, match=r"timeline_g1 differs .* at position 32 .*: ben$"):
        found.check()
    assert await states(stage) == {1: READY}


async def test_of_many_that_differ_some_are_named_and_all_counted(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(*(sent(f"c{number:02}") for number in range(30)))
    await stage.apply(CUSTOMERS.generation(1))
    await stage.fetch("UPDATE customers_g1 SET events = 7 RETURNING 1")
    [difference] = (await verify(stage.log, CUSTOMERS)).differences
    assert difference.count == 30
    assert difference.named == tuple(f"c{number:02}" for number in range(MAX_NAMED))


async def test_what_is_not_built_cannot_be_verified(stage: Stage) -> None:
    with pytest.raises(Refused, match="not built"):
        await verify(stage.log, TIMELINE)


async def test_a_rebuild_and_a_verification_do_not_meet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.filling.LOCK_PAUSE_S", 0)
    await live_timeline(stage)
    async with await stage.log.connect() as other:
        await only_work_on(other, TIMELINE)
        with pytest.raises(RebuildRunning):
            await verify(stage.log, TIMELINE)


async def test_what_a_killed_verification_left_is_left_alone_and_dropped_by_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_timeline(stage)

    def die(at: Progress) -> None:
        raise Killed

    @asynccontextmanager
    async def nothing_is_tidied(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        yield await scratch_generation(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr("projections.verification._scratch", nothing_is_tidied)
        with pytest.raises(Killed):
            await verify(stage.log, TIMELINE, on_progress=die)
    assert await states(stage) == {1: READY, 2: SCRATCH}
    position = await stage.position("timeline_g2")
    async with stage.projecting():
        await stage.record(sent("ann"))
        await stage.caught_up()
    assert await stage.position("timeline_g2") == position
    assert not (await verify(stage.log, TIMELINE)).differences
    assert await states(stage) == {1: READY}


async def test_generations_of_any_shards_at_any_positions_are_compared_at_one(stage: Stage) -> None:
    async with await stage.log.connect() as connection:
        await make_first(connection, [TIMELINE], shards=3)
    customers = [f"c{number}" for number in range(10)]
    await stage.record(*(sent(customer) for customer in customers * 3))
    live = TIMELINE.generation(1)
    async with await stage.log.connect(live.key) as connection:
        for shard, events in ((0, 25), (2, 7)):
            checkpoint = Checkpoint(live.name, shard)
            claim = Claim(checkpoint, stage.log.catalogue, max_batch_events=events)
            assert await live.apply(claim, connection)
    fresh = TIMELINE.generation(await rebuild(stage.log, TIMELINE, jobs=2, handover=AT_ONCE))
    await stage.record(*(sent(customer) for customer in customers))
    await stage.apply(fresh, max_batch_events=3)
    found = await compare(stage.log, live, fresh)
    assert (found.position, list(found.differences)) == (40, [])


async def has_passed(stage: Stage, generation: Generation[Any], position: int) -> bool:
    return (await stage.position(generation.name) or 0) > position


@on_one_server
async def test_projectors_go_on_while_generations_are_compared_under_load(stage: Stage) -> None:
    """Each comparison is at one position, or rows of one event or more would differ."""
    compared = asyncio.Event()

    async def record_all_the_time() -> None:
        number = 0
        while not compared.is_set():
            number += 1
            changed = CustomerTraitsChanged({"n": number})
            await stage.record(sent("ann"), sent(f"c{number % 9}"), of_customer("ben", changed))
            await asyncio.sleep(PAUSE_S)  # or the log, which is rebuilt each time, grows and grows

    async with asyncio.TaskGroup() as tasks, stage.projecting(), stage.projecting():
        tasks.create_task(record_all_the_time())
        await stage.caught_up()
        positions: list[int] = []
        for projection in PROJECTIONS:
            number = await rebuild(stage.log, projection, handover=AT_ONCE)
            for _ in range(3):
                live = projection.generation(1)
                await until(partial(has_passed, stage, live, max(positions, default=0)))
                found = await compare(stage.log, live, projection.generation(number))
                assert not found.differences
                positions.append(found.position)
            assert not (await verify(stage.log, projection)).differences
        compared.set()
        assert len(set(positions)) == len(positions)
        await stage.caught_up()


async def test_what_goes_on_during_a_comparison_does_not_wait_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live_timeline(stage)
    seen: list[int | None] = []

    async def look(*arguments: Any) -> list[Any]:
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")
        seen.append(await stage.position("timeline_g1"))
        return await differences(*arguments)

    monkeypatch.setattr("projections.verification.differences", look)
    async with stage.projecting():
        found = await verify(stage.log, TIMELINE)
    assert (found.position, list(found.differences)) == (32, [])
    assert seen == [33]


async def test_parked_customers_alone_are_left_out(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        await stage.fetch(FORGED)
        found = await verify(stage.log, PICKY)
    assert found.left_out == 1
    assert [each.named for each in found.differences] == [("ben",)]


@dataclass(frozen=True)
class CountsTables:
    counts: sa.Table


def make_counts(metadata: sa.MetaData, suffix: str) -> CountsTables:
    return CountsTables(
        sa.Table(
            f"counts{suffix}",
            metadata,
            sa.Column("type", sa.Text(collation="C"), primary_key=True),
            sa.Column("version", sa.Integer, primary_key=True),
            sa.Column("events", sa.BigInteger, nullable=False),
        )
    )


COUNTS: Projection[CountsTables] = Projection(
    name="counts",
    version=1,
    shard_key=ShardKey.NONE,
    make_tables=make_counts,
    apply=lambda: (
        """
        INSERT INTO {counts} AS known (type, version, events)
        SELECT type, version, count(*) FROM batch GROUP BY type, version ORDER BY type, version
        ON CONFLICT (type, version) DO UPDATE SET events = known.events + excluded.events;
    """
    ),
)


async def test_where_rows_are_nobodys_they_are_named_by_their_key(stage: Stage) -> None:
    await stage.make_first(COUNTS)
    await stage.record(*(sent("ann", f"Type {number % 3}") for number in range(4)))
    assert await rebuild(stage.log, COUNTS, handover=AT_ONCE) == 2
    await stage.fetch("UPDATE counts_g2 SET events = 99 WHERE version = 4 RETURNING 1")
    [difference] = (await verify(stage.log, COUNTS)).differences
    assert (difference.by, difference.named) == ("type, version", ('("Type 0",4)',))
    newer = replace(COUNTS, version=2)  # of which no sample can be made
    assert await rebuild(stage.log, newer, handover=AT_ONCE) == 3


def test_the_command_line_lists_who_differs_and_fails(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Logs would go to what is captured here, from the tests behind this one too.
    monkeypatch.setattr("app.cli.verify.configure_logs", lambda *_: None)
    monkeypatch.setenv("TIDINGS_ACCEPT_DATA_LOSS", "true")

    async def corrupt() -> None:
        async with opened_stage(database) as stage:
            await live_timeline(stage)
            await stage.fetch(FORGED)

    asyncio.run(corrupt())
    with pytest.raises(SystemExit) as ended:
        main(["projections", "verify", "--database-url", database.url])
    assert ended.value.code == 1
    said = capsys.readouterr()
    listed = [line.strip() for line in said.out.splitlines()]
    assert "timeline_g1 at position 32: differs from the log" in listed
    assert "timeline: 32 rows, 32 by the log; 1 differ by customer_id" in listed
    assert "ben" in listed
    assert "customers_g1 at position 32: as the log has it" in listed
    [line] = said.err.splitlines()
    assert line.startswith("tidings: timeline_g1 differs from timeline_g")
