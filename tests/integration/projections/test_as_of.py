"""The past is answered as the read models answered it when it was the present."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalogue import CATALOGUE
from app.eventstore.database import Database
from app.eventstore.parking import resume
from app.eventstore.upcasting import Upcaster
from app.kernel.errors import NotFound, ReadModelBehind, StoreUnavailable, UnknownEvent
from app.kernel.event import EventCatalogue
from app.modules.customers.events import (
    ConsentRecorded,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
    IdentityUnlinked,
)
from projections.as_of import Moment, Past, PastModels, past_pool
from projections.customers.queries import Customer, Customers
from projections.reading import Query, compiled
from projections.registry import PROJECTIONS
from projections.timeline import TIMELINE
from projections.timeline.queries import TimelineEntry, TimelineFilter, Timelines
from projections.timeline.tables import TimelineTables
from tests.integration.conftest import on_one_server
from tests.integration.projections.happenings import batch_sizes, histories
from tests.integration.projections.poison import PICKY, park
from tests.integration.projections.stage import (
    NOON,
    Happening,
    Stage,
    of_customer,
    opened_past,
    opened_stage,
    sent,
)
from tests.integration.projections.test_folds import bounded, on_stage
from tests.integration.projections.visitors import known_visitor

pytestmark = pytest.mark.anyio

EVERYBODY = ("ann", "ben", "~v1", "~v2")
RUNS = 9
"""More than a session needs to prepare a statement."""
MICROSECOND = timedelta(microseconds=1)

Answers = tuple[bytes | None, list[TimelineEntry], list[TimelineEntry]]


async def at(stage: Stage, customer_id: str, moment: Moment) -> Past:
    return await stage.past.of(customer_id, moment, field="as_of")


async def timeline(
    stage: Stage, customer_id: str, as_of: Past | None = None, only: TimelineFilter | None = None
) -> list[TimelineEntry]:
    """The whole of it, in pages."""
    timelines = Timelines(stage.models, CATALOGUE)
    entries: list[TimelineEntry] = []
    cursor = None
    while True:
        page = await timelines.page(
            customer_id, only=only or TimelineFilter(), limit=25, cursor=cursor, as_of=as_of
        )
        entries += page.items
        cursor = page.next_cursor
        if cursor is None:
            return entries


async def positions(stage: Stage, customer_id: str, moment: Moment) -> list[int]:
    entries = await timeline(stage, customer_id, await at(stage, customer_id, moment))
    return [entry.position for entry in entries]


async def customer(stage: Stage, customer_id: str, as_of: Past | None = None) -> Customer:
    return await Customers(stage.models).one(customer_id, as_of=as_of)


async def answers(stage: Stage, customer_id: str, as_of: Past | None = None) -> Answers:
    try:
        found = msgspec.json.encode(await customer(stage, customer_id, as_of))
    except NotFound:
        found = None
    activity = TimelineFilter(kind="activity", since=NOON)
    return (
        found,
        await timeline(stage, customer_id, as_of),
        await timeline(stage, customer_id, as_of, activity),
    )


async def know_the_visitors(stage: Stage) -> None:
    """As the identities that random histories link."""
    for number in (1, 2):
        await stage.fetch(
            "INSERT INTO identities VALUES (%s, 'anonymous', %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING 1",
            UUID(int=number),
            b"%d" % number,
            f"~v{number}",
        )


async def project(stage: Stage, *, max_batch_events: int = 1000) -> None:
    for projection in PROJECTIONS:
        await stage.apply(projection.generation(1), max_batch_events=max_batch_events)


def in_parts(history: Sequence[Happening], size: int) -> list[Sequence[Happening]]:
    return [history[start : start + size] for start in range(0, len(history), size)]


@on_one_server
@settings(bounded, max_examples=3)  # each answers hundreds of queries
@given(history=histories, size=st.integers(8, 15), max_batch_events=batch_sizes)
def test_the_past_is_what_was_answered_when_it_was_the_present(
    database: Database, history: list[Happening], size: int, max_batch_events: int
) -> None:
    async def story(stage: Stage) -> None:
        await know_the_visitors(stage)
        answered: dict[int, dict[str, Answers]] = {}
        for part in in_parts(history, size):
            head = await stage.record(*part)
            await project(stage, max_batch_events=max_batch_events)
            answered[head] = {who: await answers(stage, who) for who in EVERYBODY}
        for position, then in answered.items():
            for who in EVERYBODY:
                assert await answers(stage, who, await at(stage, who, position)) == then[who]

    on_stage(database, story)


async def test_visitors_count_as_they_were_linked_then(stage: Stage) -> None:
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        sent("~v1", minutes=-9),
        sent("ann", minutes=5),
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=6),
        sent("~v1", minutes=7),
        of_customer("ann", IdentityUnlinked(visitor, "anonymous"), minutes=8),
        of_customer("ben", IdentityLinked(visitor, "anonymous"), minutes=9),
    )
    expected = {1: [], 2: [2], 3: [3, 2, 1], 4: [4, 3, 2, 1], 5: [5, 3, 2], 6: [5, 3, 2]}
    events = {2: 1, 3: 2, 4: 3, 5: 1, 6: 1}
    for position, entries in expected.items():
        assert await positions(stage, "ann", position) == entries
        if position in events:
            profile = await customer(stage, "ann", await at(stage, "ann", position))
            assert profile.events == events[position]
            assert (profile.first_seen == NOON - timedelta(minutes=9)) == (position in (3, 4))
    assert await positions(stage, "ben", 5) == []
    assert await positions(stage, "ben", 6) == [6, 4, 1]
    assert await positions(stage, "~v1", 3) == [1]


async def test_what_happened_early_and_was_recorded_late_was_not_known_before(
    stage: Stage,
) -> None:
    await stage.record(
        sent("ann", minutes=10), sent("ann", minutes=20), sent("ann", "Late", minutes=15)
    )
    assert await positions(stage, "ann", 2) == [2, 1]
    assert await positions(stage, "ann", 3) == [2, 3, 1]
    profile = await customer(stage, "ann", await at(stage, "ann", 1))
    assert profile.last_seen == NOON + timedelta(minutes=10)


async def test_a_time_means_what_was_recorded_by_then(stage: Stage) -> None:
    for number in range(12):
        await stage.record(*(sent("ann") for _ in range(number % 3 + 1)))
    recorded = [event.recorded_at for event in await stage.store.read_log(after=0, limit=100)]
    assert len(set(recorded)) > 9
    for time in {time + step * MICROSECOND for time in recorded for step in (-1, 0, 1)}:
        by_then = sum(moment <= time for moment in recorded)
        assert (await at(stage, "ann", time)).position == by_then
    assert (await at(stage, "ann", datetime(1, 1, 1, tzinfo=UTC))).position == 0
    assert (await at(stage, "ann", datetime(9999, 1, 1, tzinfo=UTC))).position == len(recorded)
    assert await positions(stage, "ann", recorded[0]) == [1]


async def test_before_anything_there_is_nobody_and_nothing(stage: Stage) -> None:
    assert (await at(stage, "ann", datetime.now(UTC))).position == 0
    await stage.record(sent("ann"))
    for moment in (0, datetime(2000, 1, 1, tzinfo=UTC)):
        assert await positions(stage, "ann", moment) == []
        with pytest.raises(NotFound):
            await customer(stage, "ann", await at(stage, "ann", moment))


async def test_nothing_live_is_touched_and_nothing_is_left_behind(stage: Stage) -> None:
    await stage.make_first()
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        sent("~v1"),
        of_customer("ann", CustomerRegistered({"plan": "free"})),
        of_customer("ann", IdentityLinked(visitor, "anonymous")),
        of_customer("ann", CustomerTraitsChanged({"plan": "pro"})),
    )
    await project(stage)
    before = await everything_live(stage)
    now = await answers(stage, "ann")
    past = await at(stage, "ann", 2)
    then = await answers(stage, "ann", past)
    for _ in range(RUNS):
        assert await answers(stage, "ann", past) == then != now
        assert await answers(stage, "ann") == now
    assert await everything_live(stage) == before
    async with stage.models._pool.connection() as connection:
        prepared = await names(connection, "SELECT statement FROM pg_prepared_statements")
        assert prepared
        assert not any("_asof" in statement for statement in prepared)
    assert await stage.fetch("SELECT relname FROM pg_class WHERE relname LIKE '%%\\_asof%%'") == []

    await stage.record(sent("ann"))
    await project(stage)
    assert len(await timeline(stage, "ann")) == len(now[1]) + 1


async def test_within_its_session_the_past_prepares_nothing_and_writes_temporary_tables(
    stage: Stage,
) -> None:
    await stage.record(sent("ann"))
    ann = await at(stage, "ann", 1)

    async def seen_within(query: bytes) -> list[str]:
        rows = await ann.rows(TIMELINE, lambda _: query, {}, people=nobody_else)
        return [row[0] for row in rows]

    for _ in range(RUNS):
        assert await seen_within(b"SELECT name FROM pg_prepared_statements") == []
    tables = b"SELECT relpersistence FROM pg_class WHERE relname ~ '^timeline.*_asof$'"
    assert await seen_within(tables) == ["t", "t"]


async def everything_live(stage: Stage) -> list[Any]:
    contents = [await stage.contents(projection.generation(1)) for projection in PROJECTIONS]
    return [*contents, await stage.fetch("SELECT consumer, position FROM checkpoints ORDER BY 1")]


async def names(connection: psycopg.AsyncConnection[tuple[Any, ...]], query: str) -> list[str]:
    return [row[0] for row in await (await connection.execute(query.encode())).fetchall()]


async def test_the_past_needs_no_read_model(stage: Stage) -> None:
    await stage.record(sent("ann"))
    assert await positions(stage, "ann", 1) == [1]


@compiled
def positions_in(tables: TimelineTables) -> Query:
    return sa.select(tables.timeline.c.position).order_by(tables.timeline.c.position)


@compiled
def nobody_else(tables: TimelineTables) -> Query:
    return sa.select(tables.links.c.customer_id).where(
        tables.links.c.customer_id == sa.bindparam("customer_id")
    )


async def test_what_a_read_model_has_set_aside_is_left_out_of_its_past(stage: Stage) -> None:
    await stage.make_first(PICKY)
    await stage.record(
        sent("ann"), sent("ann", "Paid", amount="much"), sent("ann", "Paid", amount=5)
    )

    async def past_at(position: int) -> list[int]:
        past = await at(stage, "ann", position)
        rows = await past.rows(PICKY, positions_in, {}, people=nobody_else)
        return [row[0] for row in rows]

    assert await past_at(1) == [1]
    with pytest.raises(ReadModelBehind, match="position 3 cannot be applied"):
        await past_at(3)
    async with stage.projecting(PICKY):
        await stage.caught_up("timeline_g1")
    assert len(await stage.fetch("SELECT 1 FROM parked_keys")) == 1
    assert await past_at(3) == [1]
    async with await stage.log.connect(PICKY.shard_key) as connection:
        await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work, skip=True)
    assert await past_at(3) == [1, 3]


async def test_what_was_skipped_before_an_event_that_fails_is_left_out_of_the_past(
    stage: Stage,
) -> None:
    await stage.make_first(PICKY)
    await stage.record(*(sent("ann", "Paid", amount=amount) for amount in ("much", "more", 5)))
    async with stage.projecting(PICKY):
        await stage.caught_up("timeline_g1")
    async with await stage.log.connect(PICKY.shard_key) as connection:
        with pytest.raises(psycopg.DataError):
            await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work, skip=True)
        assert await stage.fetch("SELECT * FROM skipped_events") == [("timeline_g1", 1)]
        await resume(connection, "timeline_g1", "ann", PICKY.generation(1).work, skip=True)
    past = await at(stage, "ann", 3)
    assert await past.rows(PICKY, positions_in, {}, people=nobody_else) == [(3,)]


async def test_a_past_from_which_events_are_left_out_says_so(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), sent("ann"), sent("ben"))
    for generation in ("timeline_g1", "customers_g1"):
        await park(stage, generation, "ann", at=2)
    timelines = Timelines(stage.models, CATALOGUE)
    for position, who, stale in ((1, "ann", False), (2, "ann", True), (3, "ben", False)):
        past = await at(stage, who, position)
        page = await timelines.page(who, limit=9, as_of=past)
        assert (len(page.items), page.stale) == (1, stale)
        assert (await customer(stage, who, past)).stale == stale


async def test_an_event_that_this_code_does_not_know_is_waited_for(stage: Stage) -> None:
    await stage.record(sent("ann"), of_customer("ann", CustomerRegistered({})))
    older = replace(stage.log, catalogue=EventCatalogue(()))
    async with opened_past(older, max_size=1) as past:
        timelines = Timelines(stage.models, CATALOGUE)
        page = await timelines.page("ann", limit=9, as_of=await past.of("ann", 1, field="as_of"))
        assert len(page.items) == 1
        with pytest.raises(UnknownEvent, match="position 2"):
            await timelines.page("ann", limit=9, as_of=await past.of("ann", 2, field="as_of"))


class WiderConsent(ConsentRecorded, frozen=True):
    """The event as later code declares it."""

    schema_version = 2


async def test_the_past_has_todays_shape(database: Database) -> None:
    upcasters = (Upcaster(ConsentRecorded.tag, 1, """data || '{"language": "de"}'"""),)
    catalogue = EventCatalogue((WiderConsent,))
    async with opened_stage(database, catalogue=catalogue, upcasters=upcasters) as stage:
        await stage.record(of_customer("ann", ConsentRecorded("email", "news")))
        [entry] = await timeline(stage, "ann", await at(stage, "ann", 1))
    assert entry.schema_version == WiderConsent.schema_version
    assert msgspec.json.decode(entry.data)["language"] == "de"


async def test_when_no_connection_is_free_the_past_is_unavailable(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.record(sent("ann"))
    monkeypatch.setattr("app.eventstore.database.FETCH_FOR", timedelta(0))
    monkeypatch.setattr("app.eventstore.database.ASK_AGAIN_AFTER_S", 0.05)
    async with opened_past(stage.log, max_size=1) as past:
        ann = await past.of("ann", 1, field="as_of")
        async with past._pool.connection():
            with pytest.raises(StoreUnavailable, match="free"):
                await customer(stage, "ann", ann)
        assert (await customer(stage, "ann", ann)).events == 1


async def test_an_answer_that_takes_too_long_is_given_up(stage: Stage) -> None:
    await stage.record(sent("ann"))
    hasty = past_pool(stage.database, longest_statement=timedelta(milliseconds=50))
    async with hasty as pool, await stage.database.connect() as somebody:
        ann = await PastModels(stage.log, pool).of("ann", 1, field="as_of")
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE parked_keys IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailable, match="too long"):
                await customer(stage, "ann", ann)
        assert (await customer(stage, "ann", ann)).events == 1
