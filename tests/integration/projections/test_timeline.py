"""A timeline is whole, in order, and includes what linked visitors did."""

import random
from collections.abc import Mapping
from datetime import UTC, timedelta

import pytest

from app.catalogue import CATALOGUE
from app.eventstore.upcasting import Upcaster
from app.kernel.declared import NothingDeclared
from app.kernel.event import kind_of
from app.modules.customers.events import (
    ConsentRecorded,
    CustomerRegistered,
    IdentityLinked,
    IdentityUnlinked,
)
from projections.timeline import TIMELINE
from projections.timeline.queries import TimelineEntry, TimelineFilter, Timelines
from tests.integration.projections.stage import NOON, Stage, of_customer, sent
from tests.integration.projections.visitors import known_visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def timelines(stage: Stage) -> Timelines:
    await stage.make_first()
    return Timelines(stage.models, CATALOGUE)


async def project(stage: Stage) -> None:
    await stage.apply(TIMELINE.generation(1))


async def all_pages(timelines: Timelines, customer_id: str, limit: int) -> list[TimelineEntry]:
    entries: list[TimelineEntry] = []
    cursor = None
    while True:
        page = await timelines.page(customer_id, limit=limit, cursor=cursor)
        entries += page.items
        cursor = page.next_cursor
        if cursor is None:
            return entries


async def test_entries_are_the_recorded_events_with_a_title_and_a_kind(
    stage: Stage, timelines: Timelines
) -> None:
    await stage.record(
        sent("ann", "Product Added", minutes=1, price=1.5),
        of_customer("ann", CustomerRegistered({"plan": "pro"}), minutes=2),
        of_customer("ann", ConsentRecorded("email", "news"), minutes=3),
    )
    await project(stage)
    page = await timelines.page("ann", limit=10)
    assert [(entry.title, entry.kind) for entry in page.items] == [
        ("Agreed to news by email", "customer"),
        ("Registered", "customer"),
        ("Product Added", "activity"),
    ]
    recorded = await stage.store.read_log(after=0, limit=10)
    for entry, event in zip(reversed(page.items), recorded, strict=True):
        assert entry == (await timelines.entries_of([event]))[0]
        assert bytes(entry.data) == bytes(event.data)
        assert entry.occurred_at.tzinfo is not None
        assert entry.occurred_at.utcoffset() == UTC.utcoffset(None)


async def test_pages_hold_every_entry_once_newest_first_while_events_arrive_late(
    stage: Stage, timelines: Timelines
) -> None:
    moments = [random.randrange(20) for _ in range(60)]  # many at one moment
    await stage.record(*(sent("ann", minutes=minute) for minute in moments))
    await stage.record(*(sent("ben", minutes=minute) for minute in moments))
    await project(stage)
    entries = await all_pages(timelines, "ann", 7)
    assert [entry.position for entry in entries] == [
        position
        for _, position in sorted(
            ((minute, position) for position, minute in enumerate(moments, 1)), reverse=True
        )
    ]
    first = await timelines.page("ann", limit=20)
    await stage.record(sent("ann", "New", minutes=99), sent("ann", "Late", minutes=-99))
    await project(stage)
    second = await timelines.page("ann", limit=200, cursor=first.next_cursor)
    positions = [entry.position for entry in (*first.items, *second.items)]
    assert positions == [*(entry.position for entry in entries), 122]


async def test_filters_narrow_by_type_kind_and_time(stage: Stage, timelines: Timelines) -> None:
    await stage.record(
        sent("ann", "Viewed", minutes=0),
        sent("ann", "Bought", minutes=10),
        of_customer("ann", CustomerRegistered({}), minutes=20),
        sent("ann", "customer.registered", minutes=30),
    )
    await project(stage)

    async def positions(**only: object) -> list[int]:
        chosen = TimelineFilter(**only)  # type: ignore[arg-type] # any of its fields
        page = await timelines.page("ann", only=chosen, limit=10)
        return [entry.position for entry in page.items]

    assert await positions() == [4, 3, 2, 1]
    assert await positions(type="Bought") == [2]
    assert await positions(kind="customer") == [3]
    assert await positions(kind="activity", type="customer.registered") == [4]
    ten, twenty = NOON + timedelta(minutes=10), NOON + timedelta(minutes=20)
    assert await positions(since=ten) == [4, 3, 2]
    assert await positions(until=twenty) == [2, 1]
    assert await positions(since=ten, until=twenty) == [2]
    assert await positions(since=twenty, until=ten) == []


async def test_what_a_linked_visitor_did_is_there_as_long_as_the_link(
    stage: Stage, timelines: Timelines
) -> None:
    visitor = await known_visitor(stage, "v1")
    other = await known_visitor(stage, "v2")
    await stage.record(
        sent("~v1", minutes=0), sent("ann", minutes=1), sent("~v1", minutes=2), sent("~v2")
    )
    await project(stage)
    assert [entry.position for entry in await all_pages(timelines, "ann", 1)] == [2]
    await stage.record(
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=3),
        of_customer("ann", IdentityLinked(other, "email"), minutes=4),
    )
    await project(stage)
    assert await timelines.ids_of("ann") == ["ann", "~v1"]
    assert [entry.position for entry in await all_pages(timelines, "ann", 1)] == [6, 5, 3, 2, 1]
    assert [entry.position for entry in await all_pages(timelines, "~v1", 9)] == [3, 1]
    await stage.record(of_customer("ann", IdentityUnlinked(visitor, "anonymous"), minutes=5))
    await project(stage)
    assert [entry.position for entry in await all_pages(timelines, "ann", 3)] == [7, 6, 5, 2]


async def test_several_linked_visitors_make_one_timeline(
    stage: Stage, timelines: Timelines
) -> None:
    ids = [await known_visitor(stage, f"v{number}") for number in range(5)]
    people = ["ann", *(f"~v{number}" for number in range(5))]
    await stage.record(
        *(sent(random.choice(people), minutes=random.randrange(100)) for _ in range(80)),
        *(of_customer("ann", IdentityLinked(known, "anonymous"), minutes=200) for known in ids),
    )
    await project(stage)
    entries = await all_pages(timelines, "ann", 9)
    assert len(entries) == 85
    order = [(entry.occurred_at, entry.position) for entry in entries]
    assert order == sorted(order, reverse=True)


async def test_a_timeline_of_nobody_is_empty(timelines: Timelines) -> None:
    page = await timelines.page("nobody", limit=10)
    assert page.items == []
    assert page.next_cursor is None


async def test_kinds_are_the_same_in_sql_and_in_python(stage: Stage, timelines: Timelines) -> None:
    types = ["Product Added", "order.placed", "a.b.c", "", ".", "activity-x", "Ünï.code"]
    await stage.record(*(sent("ann", each) for each in types))
    known = [event for event in CATALOGUE.types.values() if event.tag.startswith("customer.")]
    for event_type in known:
        stream, event = sent("ann", event_type.tag)
        await stage.record((stream.replace("activity", "customer"), event))
    await project(stage)
    rows = await stage.fetch("SELECT stream, type, kind FROM timeline_g1")
    assert len(rows) == len(types) + len(known)
    assert [kind for _, _, kind in rows] == [kind_of(stream, tag) for stream, tag, _ in rows]


async def test_entries_written_before_an_upcaster_came_are_upcast_when_read(
    stage: Stage, timelines: Timelines
) -> None:
    await stage.record(of_customer("ann", ConsentRecorded("email", "news")))
    await project(stage)
    upcaster = Upcaster("customer.consent_recorded", 1, """data || '{"channel": "letter"}'""")
    [entry] = (await Timelines(stage.models, CATALOGUE, [upcaster]).page("ann", limit=1)).items
    assert (entry.schema_version, entry.title) == (2, "Agreed to news by letter")


class Declared(NothingDeclared):
    """Some types, as somebody has declared them by now."""

    def __init__(self, titles: Mapping[str, str], kinds: Mapping[str, str]) -> None:
        self._titles = titles
        self._kinds = kinds

    def title_template(self, event_type: str) -> str | None:
        return self._titles.get(event_type)

    def kinds(self) -> Mapping[str, str]:
        return self._kinds


async def test_a_declared_type_has_its_title_and_kind_whenever_it_was_sent(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(
        sent("ann", "Order Placed", minutes=1, orderId="A-7"),
        sent("ann", "Paid", minutes=2),
        sent("ann", "Seen", minutes=3),
        of_customer("ann", CustomerRegistered({}), minutes=4),
    )
    await project(stage)
    declared = Declared(
        {"Order Placed": "Placed order {orderId}"},
        {"Order Placed": "order", "Paid": "order", "Seen": "customer", "Other": "other"},
    )
    timelines = Timelines(stage.models, CATALOGUE, (), declared)

    async def shown(kind: str | None) -> list[tuple[str, str]]:
        page = await timelines.page("ann", only=TimelineFilter(kind=kind), limit=10)
        return [(entry.title, entry.kind) for entry in page.items]

    assert await shown(None) == [
        ("Registered", "customer"),
        ("Seen", "customer"),
        ("Paid", "order"),
        ("Placed order A-7", "order"),
    ]
    assert await shown("order") == [("Paid", "order"), ("Placed order A-7", "order")]
    assert await shown("customer") == [("Registered", "customer"), ("Seen", "customer")]
    assert await shown("activity") == []
    assert await shown("other") == []
    page = await Timelines(stage.models, CATALOGUE).page(
        "ann", only=TimelineFilter(kind="activity"), limit=10
    )
    assert [entry.type for entry in page.items] == ["Seen", "Paid", "Order Placed"]
