"""The offers of customers, and what became of them."""

from datetime import timedelta

import pytest

from app.kernel.cipher import as_stored
from app.kernel.event import Event
from app.modules.customers.events import CustomerErased
from app.modules.offers.events import OfferExpired, OfferIssued, OfferRedeemed, OfferWithdrawn
from projections.customer_offers import CUSTOMER_OFFERS
from projections.customer_offers.queries import CustomerOffer, CustomerOfferPage, CustomerOffers
from projections.customer_offers.routes import customer_offer_routes
from projections.rebuild import rebuild
from tests.fixtures.access import AsStored
from tests.integration.conftest import on_one_server
from tests.integration.projections.poison import park
from tests.integration.projections.stage import NOON, Happening, Stage, of, of_customer, sent
from tests.unit.http.asking import app_of, ask

pytestmark = [pytest.mark.anyio, on_one_server]

GENERATION = CUSTOMER_OFFERS.generation(1)
LATER = NOON + timedelta(days=7)
ROWS = "SELECT customer_id, offer_id, status FROM {customer_offers} ORDER BY position"


@pytest.fixture
async def offers(stage: Stage) -> CustomerOffers:
    await stage.make_first(CUSTOMER_OFFERS)
    return CustomerOffers(stage.models)


def issued(offer_id: str, *, customer_id: str = "ann") -> Happening:
    event = OfferIssued(customer_id, "ten-percent", f"CODE-{offer_id}", LATER)
    return of(f"offer-{offer_id}", event, customer_id=customer_id)


def then(offer_id: str, event: Event, *, customer_id: str = "ann") -> Happening:
    return of(f"offer-{offer_id}", event, customer_id=customer_id)


async def page(offers: CustomerOffers, customer_id: str = "ann") -> CustomerOfferPage:
    return await offers.page(customer_id, limit=100, view=as_stored)


async def test_an_offer_stands_there_as_it_was_issued(stage: Stage, offers: CustomerOffers) -> None:
    await stage.record(sent("ann"), issued("o-1"))
    await stage.apply(GENERATION)
    (found,) = (await page(offers)).items
    assert found == CustomerOffer(
        "o-1", 2, "ten-percent", "CODE-o-1", LATER, "issued", found.issued_at, None
    )
    assert await page(offers, "nobody") == CustomerOfferPage([], None, stale=False)


async def test_an_offer_is_what_first_became_of_it_and_nobody_elses(stage: Stage) -> None:
    given = await stage.given(
        CUSTOMER_OFFERS,
        *(issued(offer_id) for offer_id in "abcd"),
        issued("b", customer_id="ben"),
        then("a", OfferRedeemed("ten-percent")),
        then("b", OfferWithdrawn("ten-percent")),
        then("c", OfferExpired("ten-percent")),
        then("a", OfferExpired("ten-percent")),
        then("never", OfferExpired("ten-percent")),
    )
    await given.then(
        ROWS,
        ("ann", "a", "redeemed"),
        ("ann", "b", "withdrawn"),
        ("ann", "c", "expired"),
        ("ann", "d", "issued"),
        ("ben", "b", "issued"),
    )


async def test_an_erased_customer_has_no_offers(stage: Stage) -> None:
    given = await stage.given(
        CUSTOMER_OFFERS,
        issued("a"),
        issued("b", customer_id="ben"),
        of_customer("ann", CustomerErased(0, 0)),
    )
    await given.then(ROWS, ("ben", "b", "issued"))


async def test_what_services_send_is_no_offer(stage: Stage) -> None:
    given = await stage.given(CUSTOMER_OFFERS, sent("ann", "offer.issued", offer="x", code="y"))
    await given.then(ROWS)


async def test_rebuilt_offers_are_the_same(stage: Stage, offers: CustomerOffers) -> None:
    await stage.record(issued("a"), issued("b"))
    await stage.apply(GENERATION)
    await stage.record(then("a", OfferRedeemed("ten-percent")))
    await stage.apply(GENERATION)
    number = await rebuild(stage.log, CUSTOMER_OFFERS, jobs=2, handover=timedelta(0))
    rebuilt = await stage.contents(CUSTOMER_OFFERS.generation(number))
    assert rebuilt == await stage.contents(GENERATION)


async def test_pages_hold_every_offer_once_newest_first(
    stage: Stage, offers: CustomerOffers
) -> None:
    await stage.record(*(issued(f"o-{number}") for number in range(5)))
    await stage.apply(GENERATION)
    found: list[str] = []
    cursor = None
    while not found or cursor:
        some = await offers.page("ann", limit=2, cursor=cursor, view=as_stored)
        found += [offer.offer_id for offer in some.items]
        cursor = some.next_cursor
    assert found == [f"o-{number}" for number in reversed(range(5))]


async def test_offers_of_which_some_are_missing_say_so(
    stage: Stage, offers: CustomerOffers
) -> None:
    await park(stage, "customer_offers_g1", "ann")
    assert (await page(offers)).stale
    assert not (await page(offers, "ben")).stale


@pytest.mark.parametrize(("query", "field"), [("limit=0", "limit"), ("cursor=abc", "cursor")])
async def test_what_is_no_query_of_them_is_refused(
    offers: CustomerOffers, query: str, field: str
) -> None:
    app = app_of(*customer_offer_routes(offers, AsStored()))
    answer = await ask(app, "GET", f"/v1/customers/ann/offers?{query}")
    assert (answer.status, answer.json()["field"]) == (400, field)
