"""The timers of a ride: until an offer expires, and until the search for a driver is given up."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.rides.decider import RIDE, ExpireOffer, GiveUp
from app.modules.rides.events import (
    DriverWithdrew,
    OfferFailed,
    RideCancelled,
    RideClaimed,
    RideOffered,
    RideRequested,
)

PATIENCE = timedelta(minutes=2)
"""How long a ride waits for an offer, before there is nobody available."""


def _requested(happened: Happened[RideRequested]) -> Iterable[Effect]:
    yield _give_up_later(happened, 0)


def _offered(happened: Happened[RideOffered]) -> Iterable[Effect]:
    offer = happened.event
    yield CancelTimer(search_timer(happened.thing_id, offer.round - 1))
    expire = Send(RIDE, happened.thing_id, ExpireOffer(offer.round), happened.customer_id)
    yield SetTimer(offer_timer(happened.thing_id, offer.round), offer.expires_at, expire)


def _claimed(happened: Happened[RideClaimed]) -> Iterable[Effect]:
    yield CancelTimer(offer_timer(happened.thing_id, happened.event.round))


def _failed(happened: Happened[OfferFailed]) -> Iterable[Effect]:
    yield CancelTimer(offer_timer(happened.thing_id, happened.event.round))
    yield _give_up_later(happened, happened.event.round)


def _withdrew(happened: Happened[DriverWithdrew]) -> Iterable[Effect]:
    yield _give_up_later(happened, happened.event.round)


def _cancelled(happened: Happened[RideCancelled]) -> Iterable[Effect]:
    yield CancelTimer(offer_timer(happened.thing_id, happened.event.round))
    yield CancelTimer(search_timer(happened.thing_id, happened.event.round))


def _give_up_later(happened: Happened[Any], round_: int) -> SetTimer:
    give_up = Send(RIDE, happened.thing_id, GiveUp(round_), happened.customer_id)
    return SetTimer(search_timer(happened.thing_id, round_), happened.at + PATIENCE, give_up)


def offer_timer(ride_id: str, round_: int) -> str:
    """The key of the timer that ends a round's offer."""
    return f"offer:ride-{ride_id}:round-{round_}"


def search_timer(ride_id: str, round_: int) -> str:
    """The key of the timer that ends the search, when no offer follows the round's."""
    return f"search:ride-{ride_id}:round-{round_}"


RIDES = Policy(
    "rides",
    {
        RideRequested: _requested,
        RideOffered: _offered,
        RideClaimed: _claimed,
        OfferFailed: _failed,
        DriverWithdrew: _withdrew,
        RideCancelled: _cancelled,
    },
)
