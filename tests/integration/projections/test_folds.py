"""Whatever happens in whatever order, and however it is cut into batches, a read model is the fold
of the log; and a rebuilt one is the same, row for row.
"""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.eventstore.database import Database
from app.kernel.event import RecordedEvent
from projections.activity_counts import ACTIVITY_COUNTS
from projections.audit import AUDIT
from projections.cases import CASES
from projections.customer_offers import CUSTOMER_OFFERS
from projections.customers import CUSTOMERS
from projections.decisions import DECISIONS
from projections.engagement import ENGAGEMENT
from projections.generations import kept_up_to_date
from projections.inbox import INBOX
from projections.offers import OFFERS
from projections.projection import Generation, Projection
from projections.reaction_times import REACTION_TIMES
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.sharding import reshard
from projections.timeline import TIMELINE
from projections.visits import VISITS
from tests.integration.conftest import on_one_server
from tests.integration.projections.folds import (
    CustomersFold,
    fold_activity_counts,
    fold_audit,
    fold_cases,
    fold_customer_offers,
    fold_decisions,
    fold_engagement,
    fold_inbox,
    fold_offers,
    fold_reaction_times,
    fold_timeline,
    fold_visits,
)
from tests.integration.projections.happenings import batch_sizes, histories
from tests.integration.projections.stage import Happening, Stage, opened_stage

# The database is one for all examples: each only adds to the log. Shrinking would take minutes.
bounded = settings(
    max_examples=6,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

shards = st.integers(1, 8)


def on_stage(database: Database, story: Any) -> None:
    async def play() -> None:
        async with opened_stage(database) as stage:
            await stage.make_first()
            await story(stage)

    asyncio.run(play())


@bounded
@given(history=histories, max_batch_events=batch_sizes)
def test_a_read_model_is_the_fold_of_the_log(
    database: Database, history: list[Happening], max_batch_events: int
) -> None:
    async def story(stage: Stage) -> None:
        await stage.record(*history)
        for projection in PROJECTIONS:
            await stage.apply(projection.generation(1), max_batch_events=max_batch_events)
        log = await stage.store.read_log(after=0, limit=100_000)
        assert await timeline_rows(stage) == fold_timeline(log)
        await check_customers(stage, log)
        assert await activity_counts(stage) == fold_activity_counts(log)
        assert await visits(stage) == fold_visits(log)
        assert await inbox(stage) == fold_inbox(log)
        assert await offers(stage) == fold_offers(log)
        assert await cases(stage) == fold_cases(log)
        assert await customer_offers(stage) == fold_customer_offers(log)
        assert await decisions(stage) == fold_decisions(log)
        assert await engagement(stage) == fold_engagement(log)
        assert await reaction_times(stage) == fold_reaction_times(log)
        assert await stage.fetch("SELECT * FROM audit_g1 ORDER BY position") == fold_audit(log)

    on_stage(database, story)


@on_one_server
@bounded
@given(history=histories, max_batch_events=batch_sizes, counts=st.tuples(shards, shards, shards))
def test_a_rebuilt_read_model_equals_the_live_one_row_for_row(
    database: Database,
    history: list[Happening],
    max_batch_events: int,
    counts: tuple[int, int, int],
) -> None:
    """At any number of shards, resharded in the middle, and with every event sent again."""

    async def story(stage: Stage) -> None:
        before, after, jobs = counts
        live = [await newest(stage, projection) for projection in PROJECTIONS]
        middle = len(history) // 2
        for part, count in ((history[:middle], before), (history[middle:], after)):
            head = await stage.record(*part)
            for generation in live:
                await stage.apply(generation, max_batch_events=max_batch_events)
                await reshard(stage.log, generation, generation.projection.shards(count))
        assert await stage.record(*history) == head
        for generation in live:
            await stage.apply(generation, max_batch_events=max_batch_events)
            number = await rebuild(
                stage.log, generation.projection, jobs=jobs, handover=timedelta(0)
            )
            assert number == generation.number + 1
            contents = await stage.contents(generation.projection.generation(number))
            assert contents == await stage.contents(generation)
            assert any(contents.values())

    on_stage(database, story)


async def newest(stage: Stage, projection: Projection[Any]) -> Generation[Any]:
    async with await stage.database.connect() as connection:
        return (await kept_up_to_date(connection, projection))[-1]


async def timeline_rows(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.fetch(
        "SELECT customer_id, occurred_at, position, kind FROM timeline_g1"
        " ORDER BY customer_id, occurred_at, position"
    )


async def activity_counts(stage: Stage) -> dict[tuple[Any, ...], int]:
    rows = await stage.fetch("SELECT day, type, kind, events FROM activity_counts_g1")
    return {row[:3]: row[3] for row in rows}


async def offers(stage: Stage) -> dict[tuple[Any, ...], int]:
    rows = await stage.fetch("SELECT driver_id, ride_id, position FROM offers_g1")
    return {row[:2]: row[2] for row in rows}


async def cases(stage: Stage) -> dict[str, tuple[Any, ...]]:
    rows = await stage.fetch("SELECT case_id, customer_id, position, opened_at FROM cases_g1")
    return {row[0]: row[1:] for row in rows}


async def visits(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.fetch(
        "SELECT customer_id, started_at, ended_at, first_position, last_position, events, entry,"
        " exit FROM visits_g1 ORDER BY customer_id, started_at"
    )


async def inbox(stage: Stage) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = await stage.fetch(
        "SELECT customer_id, message_id, position, data ->> 'text', requested_at, read_at"
        " FROM inbox_g1"
    )
    return {row[:2]: row[2:] for row in rows}


async def customer_offers(stage: Stage) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = await stage.fetch(
        "SELECT customer_id, offer_id, position, data ->> 'offer', status, ended_at"
        " FROM customer_offers_g1"
    )
    return {row[:2]: row[2:] for row in rows}


async def decisions(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.fetch("SELECT * FROM decisions_g1 ORDER BY 1, 2")


async def engagement(stage: Stage) -> dict[tuple[Any, ...], int]:
    return {row[:5]: row[5] for row in await stage.fetch("SELECT * FROM engagement_g1")}


async def reaction_times(stage: Stage) -> dict[tuple[Any, ...], int]:
    return {row[:4]: row[4] for row in await stage.fetch("SELECT * FROM reaction_times_g1")}


async def check_customers(stage: Stage, log: list[RecordedEvent]) -> None:
    fold = CustomersFold(log)
    profiles = await stage.fetch(
        "SELECT customer_id, registered_at, first_seen, last_seen, events, stream_version"
        " FROM customers_g1"
    )
    assert {row[0]: row[1:] for row in profiles} == {
        customer_id: tuple(profile.values()) for customer_id, profile in fold.profiles.items()
    }
    traits = await stage.fetch("SELECT customer_id, name, value::text FROM customers_traits_g1")
    assert {row[:2]: msgspec.json.decode(row[2]) for row in traits} == fold.traits
    consents = await stage.fetch("SELECT * FROM customers_consents_g1")
    assert {row[:3]: row[3:] for row in consents} == fold.consents
    identities = await stage.fetch(
        "SELECT customer_id, identity_id::text, kind, linked_at FROM customers_identities_g1"
    )
    assert {row[:2]: row[2:] for row in identities} == fold.identities


def test_the_projections_are_those_that_are_tested_here() -> None:
    assert PROJECTIONS == (
        TIMELINE,
        CUSTOMERS,
        ACTIVITY_COUNTS,
        VISITS,
        INBOX,
        OFFERS,
        CASES,
        CUSTOMER_OFFERS,
        DECISIONS,
        ENGAGEMENT,
        REACTION_TIMES,
        AUDIT,
    )
