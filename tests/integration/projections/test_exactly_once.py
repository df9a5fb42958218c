"""Every event is applied once, whoever dies in the middle."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.batch import Checkpoint, Claim
from app.eventstore.wakeups import Wakeups
from projections.audit import AUDIT
from projections.cases import CASES
from projections.customer_offers import CUSTOMER_OFFERS
from projections.decisions import DECISIONS
from projections.engagement import ENGAGEMENT
from projections.inbox import INBOX
from projections.offers import OFFERS
from projections.projection import Generation
from projections.reaction_times import REACTION_TIMES
from projections.registry import PROJECTIONS
from tests.integration.projections.stage import DEADLINE_S, Stage, sent

pytestmark = pytest.mark.anyio

NOT_OF_WHAT_IS_SENT = (
    AUDIT,
    CASES,
    CUSTOMER_OFFERS,
    DECISIONS,
    ENGAGEMENT,
    INBOX,
    OFFERS,
    REACTION_TIMES,
)
CUSTOMER_IDS = ("ann", "ben", "~visitor")


async def record_visits(stage: Stage, count: int) -> None:
    await stage.record(
        *(
            sent(random.choice(CUSTOMER_IDS), minutes=number, number=number)
            for number in range(count)
        )
    )


async def applied_once(stage: Stage) -> None:
    """The timeline has each event of the log once, and whatever counts events counts each once."""
    head = await stage.store.head()
    positions = await stage.fetch("SELECT position FROM timeline_g1 ORDER BY position")
    assert [position for (position,) in positions] == list(range(1, head + 1))
    for table in ("customers_g1", "activity_counts_g1", "visits_g1"):
        [(counted,)] = await stage.fetch(f"SELECT sum(events) FROM {table}")
        assert counted == head, table


@pytest.mark.parametrize(
    "generation",
    [each.generation(1) for each in PROJECTIONS if each not in NOT_OF_WHAT_IS_SENT],
    ids=lambda generation: generation.name,
)
async def test_a_batch_that_dies_before_its_commit_leaves_nothing_and_is_done_again(
    stage: Stage, generation: Generation[object]
) -> None:
    await stage.make_first()
    await record_visits(stage, 30)
    claim = Claim(Checkpoint(generation.name), CATALOGUE, max_batch_events=4)
    while (await stage.position(generation.name)) != 30:
        before = await stage.contents(generation)
        dying = await stage.log.connect()
        await dying.execute("BEGIN")
        await claim.take(dying)
        await generation.work(dying)
        await claim.advance(dying)
        await dying.close()
        assert await stage.contents(generation) == before
        async with await stage.log.connect() as connection:
            assert await generation.apply(claim, connection)
        assert await stage.contents(generation) != before
    for projection in PROJECTIONS:
        await stage.apply(projection.generation(1))
    await applied_once(stage)


async def test_a_projector_whose_connections_are_killed_loses_and_doubles_nothing(
    stage: Stage,
) -> None:
    async with stage.projecting():
        for _ in range(15):
            await record_visits(stage, 40)
            await asyncio.sleep(random.random() / 50)
            await stage.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tidings projector' AND datname = current_database()"
            )
        await stage.caught_up()
        await applied_once(stage)


async def test_projectors_that_share_the_work_apply_each_event_once(stage: Stage) -> None:
    async with stage.projecting(), stage.projecting(), stage.projecting():
        for _ in range(20):
            await record_visits(stage, 20)
        await stage.caught_up()
    await applied_once(stage)


async def test_a_projector_goes_on_where_another_that_has_the_checkpoint_dies(stage: Stage) -> None:
    await stage.make_first()
    await record_visits(stage, 3)
    dying = await stage.log.connect()
    await dying.execute("BEGIN")
    claim = Claim(Checkpoint("timeline_g1"), CATALOGUE, max_batch_events=10)
    assert await (await claim.take(dying)).fetchone()
    async with stage.projecting():
        await stage.caught_up("customers_g1")
        assert await stage.position("timeline_g1") == 0
        await dying.close()
        await record_visits(stage, 1)
        await stage.caught_up()
    await applied_once(stage)


async def test_whoever_is_cut_off_without_a_word_holds_a_checkpoint_for_half_a_minute_at_most(
    stage: Stage,
) -> None:
    async with await stage.log.connect() as connection:
        rows = await (
            await connection.execute("SHOW idle_in_transaction_session_timeout")
        ).fetchall()
    assert rows == [("30s",)]

    await stage.make_first()
    await record_visits(stage, 3)
    silent = await stage.log.connect()
    await silent.execute("BEGIN")
    claim = Claim(Checkpoint("timeline_g1"), CATALOGUE, max_batch_events=10)
    assert await (await claim.take(silent)).fetchone()
    await silent.execute("SET idle_in_transaction_session_timeout = '100ms'")
    # Whose checkpoint becomes free is told nobody: it is found at the next poll.
    async with (
        Wakeups(stage.database, timedelta(milliseconds=50)) as wakeups,
        replace(stage, wakeups=wakeups).projecting(),
    ):
        await stage.caught_up()
    await applied_once(stage)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        await silent.execute("COMMIT")
    await silent.close()


async def test_a_projector_told_to_stop_stops_though_nothing_happens(stage: Stage) -> None:
    async with asyncio.timeout(DEADLINE_S), stage.projecting():
        await stage.caught_up()


async def test_an_empty_batch_outside_of_a_claim(stage: Stage) -> None:
    await record_visits(stage, 2)
    async with await stage.log.connect() as connection:
        rows = await (await connection.execute("SELECT * FROM batch")).fetchall()
    assert rows == []
