"""Visits are what a customer did, cut by silence, whatever order events come in."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from app.modules.customers.events import CustomerRegistered
from projections.visits import VISITS
from projections.visits.queries import Visit, Visits
from tests.integration.conftest import on_one_server
from tests.integration.projections.folds import fold_visits
from tests.integration.projections.stage import NOON, Happening, Stage, of_customer, sent

pytestmark = pytest.mark.anyio

SEED = 7
GENERATION = VISITS.generation(1)


@pytest.fixture
async def visits(stage: Stage) -> Visits:
    await stage.make_first(VISITS)
    return Visits(stage.models)


async def rows(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.fetch(
        "SELECT customer_id, started_at, ended_at, first_position, last_position, events, entry,"
        " exit FROM visits_g1 ORDER BY customer_id, started_at"
    )


async def record(stage: Stage, *minutes: float) -> None:
    """Events of ann, each named by its minute, and all applied in one batch."""
    await stage.record(*(sent("ann", f"{at:g}", minutes=at) for at in minutes))
    await stage.apply(GENERATION)


async def spans(visits: Visits, customer_id: str = "ann") -> list[tuple[str, str, int]]:
    """Entry, exit and number of events of each visit, oldest first."""
    page = await visits.page(customer_id, limit=100)
    return [(visit.entry, visit.exit, visit.events) for visit in reversed(page.items)]


async def test_a_visit_tells_its_length_entry_and_exit(stage: Stage, visits: Visits) -> None:
    await record(stage, 0, 5, 12.5)
    [visit] = (await visits.page("ann", limit=10)).items
    ended_at = NOON + timedelta(minutes=12.5)
    assert visit == Visit("ann", NOON, ended_at, 750.0, 3, "0", "12.5")


async def test_more_than_thirty_minutes_of_silence_end_a_visit(
    stage: Stage, visits: Visits
) -> None:
    await record(stage, 0, 30, 60, 60 + 30.001)
    assert await spans(visits) == [("0", "60", 3), ("90.001", "90.001", 1)]


@pytest.mark.parametrize("order", [(0, 40, 20), (40, 0, 20), (20, 0, 40)])
async def test_a_late_event_extends_a_visit_or_joins_two(
    stage: Stage, visits: Visits, order: tuple[int, ...]
) -> None:
    for minute in order:
        await record(stage, minute)
    assert await spans(visits) == [("0", "40", 3)]


async def test_one_event_may_reach_the_visits_before_and_after_it_and_no_others(
    stage: Stage, visits: Visits
) -> None:
    await record(stage, 0, 100, 150, 250)
    await record(stage, 125)
    assert await spans(visits) == [("0", "0", 1), ("100", "150", 3), ("250", "250", 1)]


async def test_a_batch_within_a_long_visit_leaves_it_one(stage: Stage, visits: Visits) -> None:
    await record(stage, *range(0, 300, 30))
    await record(stage, 45, 135)
    assert await spans(visits) == [("0", "270", 12)]


async def test_what_happened_at_one_moment_is_in_the_order_of_positions(
    stage: Stage, visits: Visits
) -> None:
    for event_type in ("first", "second", "third"):
        await stage.record(sent("ann", event_type))
        await stage.apply(GENERATION)
    assert await spans(visits) == [("first", "third", 3)]


async def test_only_what_services_sent_is_of_a_visit(stage: Stage, visits: Visits) -> None:
    await stage.record(of_customer("ann", CustomerRegistered({})), sent("ben"), sent("~v"))
    await stage.apply(GENERATION)
    assert await spans(visits) == []
    for sender in ("ben", "~v"):
        assert await spans(visits, sender) == [("Product Added", "Product Added", 1)]


@on_one_server
async def test_visits_are_the_same_in_whatever_batches_their_events_come(
    stage: Stage, visits: Visits
) -> None:
    """Dense enough that many a batch joins what earlier ones have left apart."""
    chance = random.Random(SEED)
    await stage.record(*history(chance, 600))
    log = await stage.store.read_log(after=0, limit=1_000)
    expected = fold_visits(log)
    assert 50 < len(expected) < 500
    for max_batch_events in (1000, 250, 10, 1):
        await stage.fetch("UPDATE checkpoints SET position = 0 RETURNING 1")
        await stage.fetch("DELETE FROM visits_g1 RETURNING 1")
        await stage.apply(GENERATION, max_batch_events=max_batch_events)
        assert await rows(stage) == expected, max_batch_events


def history(chance: random.Random, count: int) -> Iterable[Happening]:
    return [
        sent(f"c{chance.randrange(3)}", str(number), minutes=chance.randrange(4_000))
        for number in range(count)
    ]


async def test_pages_hold_every_visit_once_newest_first(stage: Stage, visits: Visits) -> None:
    minutes = range(0, 700, 100)
    await record(stage, *minutes)
    entries: list[str] = []
    cursor = None
    while True:
        page = await visits.page("ann", limit=3, cursor=cursor)
        entries += [visit.entry for visit in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        await stage.record(sent("ann", "new", minutes=10_000 + len(entries)))
        await stage.apply(GENERATION)
    assert entries == [str(minute) for minute in reversed(minutes)]


async def test_the_first_and_the_last_moment_there_are_do_not_fail(
    stage: Stage, visits: Visits
) -> None:
    first = (NOON.replace(year=1, month=1, day=1, hour=0) - NOON) / timedelta(minutes=1)
    await record(stage, first)
    await record(stage, first + 30)
    last = (NOON.replace(year=9999, month=12, day=31, hour=23) - NOON) / timedelta(minutes=1)
    await record(stage, last)
    await record(stage, last + 30)
    assert [events for _, _, events in await spans(visits)] == [2, 2]
