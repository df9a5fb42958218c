"""Activity counts say how many events there were, by the day on which they happened."""

from datetime import date, timedelta

import pytest

from app.modules.customers.events import CustomerRegistered
from projections.activity_counts import ACTIVITY_COUNTS
from projections.activity_counts.queries import (
    ActivityCount,
    ActivityCountFilter,
    ActivityCounts,
)
from tests.integration.projections.stage import NOON, Stage, of_customer, sent

pytestmark = pytest.mark.anyio

TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)
EVERYTHING = ActivityCountFilter()

Row = tuple[date, str, str, int]


@pytest.fixture
async def counts(stage: Stage) -> ActivityCounts:
    """Of two days, whose border is crossed at midnight in UTC."""
    await stage.make_first(ACTIVITY_COUNTS)
    await stage.record(
        sent("ann", "Seen", minutes=12 * 60),
        sent("ann", "Seen", minutes=12 * 60 - 0.001),
        sent("~v", "Seen", minutes=-12 * 60),
        sent("ben", "Bought"),
        sent("ben", "customer.registered"),
        of_customer("ben", CustomerRegistered({})),
    )
    await stage.apply(ACTIVITY_COUNTS.generation(1), max_batch_events=2)
    return ActivityCounts(stage.models)


ALL: list[Row] = [
    (TODAY, "Bought", "activity", 1),
    (TODAY, "Seen", "activity", 2),
    (TODAY, "customer.registered", "activity", 1),
    (TODAY, "customer.registered", "customer", 1),
    (TOMORROW, "Seen", "activity", 1),
]


async def counted(counts: ActivityCounts, only: ActivityCountFilter = EVERYTHING) -> list[Row]:
    page = await counts.page(only, limit=100)
    assert page.next_cursor is None
    return [(item.day, item.type, item.kind, item.count) for item in page.items]


async def test_events_are_counted_by_day_type_and_kind(counts: ActivityCounts) -> None:
    assert await counted(counts) == ALL


async def test_what_is_nobodys_is_not_counted(stage: Stage, counts: ActivityCounts) -> None:
    stream, event = of_customer("ben", CustomerRegistered({}))
    nobodys = type(event)(event.event_id, event.type, event.data, event.metadata)
    await stage.record((stream.replace("customer", "identity"), nobodys))
    await stage.apply(ACTIVITY_COUNTS.generation(1))
    assert await counted(counts) == ALL


async def test_filters_narrow_by_type_kind_and_day(counts: ActivityCounts) -> None:
    for only, expected in (
        (ActivityCountFilter(type="Seen"), [ALL[1], ALL[4]]),
        (ActivityCountFilter(kind="customer"), [ALL[3]]),
        (ActivityCountFilter(type="customer.registered", kind="activity"), [ALL[2]]),
        (ActivityCountFilter(since=TOMORROW), [ALL[4]]),
        (ActivityCountFilter(until=TOMORROW), ALL[:4]),
        (ActivityCountFilter(type="Seen", since=TODAY, until=TOMORROW), [ALL[1]]),
        (ActivityCountFilter(since=TOMORROW, until=TODAY), []),
    ):
        assert await counted(counts, only) == expected, only


@pytest.mark.parametrize("only", [EVERYTHING, ActivityCountFilter(type="Seen", since=TODAY)])
async def test_pages_hold_every_count_once(
    counts: ActivityCounts, only: ActivityCountFilter
) -> None:
    whole = (await counts.page(only, limit=100)).items
    paged: list[ActivityCount] = []
    cursor = None
    while True:
        page = await counts.page(only, limit=1, cursor=cursor)
        paged += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == list(whole)
