"""An answer from which events are missing says so."""

import pytest

from app.catalogue import CATALOGUE
from app.modules.customers.events import CustomerRegistered, IdentityLinked, IdentityUnlinked
from projections.customers import CUSTOMERS
from projections.customers.queries import Customers
from projections.customers.search import ByIdPrefix
from projections.diff.queries import Diffs
from projections.timeline import TIMELINE
from projections.timeline.queries import TimelineFilter, Timelines
from projections.visits import VISITS
from projections.visits.queries import Visits
from tests.integration.projections.poison import a_poisoned_log, park, unreadable
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import known_visitor

pytestmark = pytest.mark.anyio


async def test_answers_about_a_customer_are_stale_until_its_events_are_taken_up(
    stage: Stage,
) -> None:
    timelines = Timelines(stage.models, CATALOGUE)
    async with a_poisoned_log(stage):
        ann, ben = [await timelines.page(who, limit=1) for who in ("ann", "ben")]
        assert (ann.stale, [entry.position for entry in ann.items]) == (True, [4])
        assert not ben.stale
        for page in (
            await timelines.page("ann", limit=9, cursor=ann.next_cursor),
            await timelines.page("ann", limit=9, only=TimelineFilter(type="Lost")),
        ):
            assert page.stale
        await stage.fetch("DELETE FROM parked_keys RETURNING 1")
        assert not (await timelines.page("ann", limit=1)).stale


async def test_who_has_no_entries_at_all_may_have_some_that_are_missing(stage: Stage) -> None:
    await stage.make_first()
    timelines = Timelines(stage.models, CATALOGUE)
    await park(stage, "timeline_g1", "ann")
    await park(stage, "timeline_g2", "ben")
    await park(stage, "customers_g1", "ben")
    ann, ben = [await timelines.page(who, limit=1) for who in ("ann", "ben")]
    assert (ann.items, ann.next_cursor, ann.stale) == ([], None, True)
    assert (ben.items, ben.next_cursor, ben.stale) == ([], None, False)


async def test_what_a_linked_visitor_lacks_its_customer_lacks(stage: Stage) -> None:
    await stage.make_first()
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        of_customer("ann", CustomerRegistered({})),
        of_customer("ann", IdentityLinked(visitor, "anonymous")),
        sent("~v1"),
        sent("ben"),
    )
    timelines, customers = Timelines(stage.models, CATALOGUE), Customers(stage.models)
    for generation in (TIMELINE.generation(1), CUSTOMERS.generation(1)):
        await stage.apply(generation)
        await park(stage, generation.name, "~v1")
    assert (await timelines.page("ann", limit=1)).stale
    assert not (await timelines.page("ben", limit=1)).stale
    assert [(await customers.one(who)).stale for who in ("ann", "ben", "~v1")] == [
        True, False, True,
    ]  # fmt: skip
    await stage.record(of_customer("ann", IdentityUnlinked(visitor, "anonymous")))
    for generation in (TIMELINE.generation(1), CUSTOMERS.generation(1)):
        await stage.apply(generation)
    assert not (await timelines.page("ann", limit=1)).stale
    assert not (await customers.one("ann")).stale


async def test_visits_of_which_events_are_missing_say_so(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), sent("ben"))
    await stage.apply(VISITS.generation(1))
    for who in ("ann", "cid"):
        await park(stage, "visits_g1", who)
    pages = [await Visits(stage.models).page(who, limit=1) for who in ("ann", "ben", "cid")]
    assert [(len(page.items), page.stale) for page in pages] == [(1, True), (1, False), (0, True)]


async def test_a_past_in_which_events_were_missing_says_so(stage: Stage) -> None:
    """As it would have been said then: from the first event on that is left out."""
    await stage.make_first()
    await stage.record(sent("ann"), unreadable("ann"), sent("ann"), sent("ben"))
    async with stage.projecting(TIMELINE, CUSTOMERS):
        for name in ("timeline_g1", "customers_g1"):
            await stage.caught_up(name)
    timelines, customers = Timelines(stage.models, CATALOGUE), Customers(stage.models)
    diffs = Diffs(stage.past, customers, timelines)
    for who, position, stale in (("ann", 1, False), ("ann", 3, True), ("ben", 4, False)):
        past = await stage.past.of(who, position, field="as_of")
        assert (await timelines.page(who, limit=9, as_of=past)).stale is stale
        assert (await customers.one(who, as_of=past)).stale is stale
        assert (await diffs.between(who, 0, position)).stale is stale


async def test_a_list_of_customers_says_of_whom_events_are_missing(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), sent("ben"))
    await stage.apply(CUSTOMERS.generation(1))
    await park(stage, "customers_g1", "ben")
    page = await Customers(stage.models).page(ByIdPrefix(), limit=9)
    assert {each.customer_id: each.stale for each in page.items} == {"ann": False, "ben": True}
