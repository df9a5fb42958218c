"""A driver sees the rides that are open to it, and no others."""

from datetime import datetime, timedelta

import pytest

from app.kernel.cipher import as_stored
from app.kernel.errors import InvalidInput
from app.modules.customers.events import CustomerErased
from app.modules.rides.events import (
    Failure,
    OfferDeclined,
    OfferFailed,
    RideCancelled,
    RideClaimed,
    RideOffered,
)
from projections.offers import OFFERS
from projections.offers.queries import Offer, Offers
from tests.controls.rides import BOTH, DINA, EMIL, FAYE, PICKUP
from tests.integration.projections.stage import (
    NOON,
    Happening,
    Stage,
    of_customer,
    of_ride,
)

pytestmark = pytest.mark.anyio

SOON = NOON + timedelta(seconds=20)
OFFERED = RideOffered(1, BOTH, SOON, PICKUP)


async def shown(stage: Stage, driver_id: str, *, now: datetime = NOON) -> list[Offer]:
    page = await Offers(stage.models, lambda: now).page(driver_id, view=as_stored, limit=10)
    assert page.next_cursor is None
    return list(page.items)


async def apply(stage: Stage, *happenings: Happening, max_batch_events: int = 1000) -> None:
    await stage.make_first(OFFERS)
    await stage.record(*happenings)
    await stage.apply(OFFERS.generation(1), max_batch_events=max_batch_events)


async def test_who_is_asked_sees_the_offer_until_it_expires(stage: Stage) -> None:
    await apply(stage, of_ride("ann", OFFERED))
    for driver_id in BOTH:
        assert await shown(stage, driver_id) == [Offer("7", 1, SOON, PICKUP, 1)]
        assert await shown(stage, driver_id, now=SOON) == []
    assert await shown(stage, FAYE) == []


@pytest.mark.parametrize("max_batch_events", [1, 1000])
async def test_an_offer_ends_for_all_whom_the_event_names(
    stage: Stage, max_batch_events: int
) -> None:
    again = RideOffered(2, (EMIL,), SOON, PICKUP)
    await apply(
        stage,
        *(of_ride("ann", OFFERED, ride_id=ride_id) for ride_id in "12345"),
        of_ride("ann", OfferDeclined(1, DINA), ride_id="1"),
        of_ride("ann", RideClaimed(1, DINA, BOTH), ride_id="2"),
        of_ride("ann", RideCancelled(1, None, BOTH), ride_id="3"),
        of_ride("ann", OfferFailed(1, Failure.EXPIRED, BOTH), ride_id="4"),
        of_ride("ann", again, ride_id="4"),
        max_batch_events=max_batch_events,
    )
    assert [offer.ride_id for offer in await shown(stage, DINA)] == ["5"]
    offers = [(offer.ride_id, offer.round) for offer in await shown(stage, EMIL)]
    assert offers == [("4", 2), ("5", 1), ("1", 1)]


@pytest.mark.parametrize("max_batch_events", [1, 1000])
async def test_rides_of_an_erased_rider_are_offered_to_nobody(
    stage: Stage, max_batch_events: int
) -> None:
    await apply(
        stage,
        of_ride("ann", OFFERED),
        of_ride("ben", OFFERED, ride_id="8"),
        of_customer("ann", CustomerErased(0, 0)),
        max_batch_events=max_batch_events,
    )
    assert [offer.ride_id for offer in await shown(stage, DINA)] == ["8"]


async def test_pages_hold_every_offer_once_and_cursors_are_the_drivers_own(stage: Stage) -> None:
    rides = [f"r{number}" for number in range(5)]
    await apply(stage, *(of_ride("ann", OFFERED, ride_id=ride_id) for ride_id in rides))
    offers, cursor, paged = Offers(stage.models, lambda: NOON), None, list[str]()
    while True:
        page = await offers.page(DINA, view=as_stored, limit=2, cursor=cursor)
        paged += [offer.ride_id for offer in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert paged == rides[::-1]
    with pytest.raises(InvalidInput):
        await offers.page(EMIL, view=as_stored, limit=2, cursor=cursor)
