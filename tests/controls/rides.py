"""A ride of Anna's, and the drivers who are asked."""

from datetime import timedelta

from app.modules.rides.decider import (
    AnnounceArrival,
    CancelRide,
    ClaimRide,
    CompleteRide,
    DeclineOffer,
    ExpireOffer,
    OfferRide,
    RequestRide,
    StartRide,
    Withdraw,
)
from app.modules.rides.events import (
    DriverArriving,
    DriverWithdrew,
    Failure,
    OfferDeclined,
    OfferFailed,
    RideCancelled,
    RideClaimed,
    RideCompleted,
    RideOffered,
    RideRequested,
    RideStarted,
    RideUnserved,
)
from app.testing.specs import SOME_DAY

RIDE_ID = "7"
ANNA = "anna"
DINA, EMIL, FAYE = "dina", "emil", "faye"
"""Drivers."""
BOTH = (DINA, EMIL)
PICKUP, DROPOFF = "Kanalstraße 3", "Central Station"
SECONDS = 20
IN_TIME = SOME_DAY + timedelta(seconds=SECONDS - 1)
EXPIRED_AT = SOME_DAY + timedelta(seconds=SECONDS)

request = RequestRide(ANNA, PICKUP, DROPOFF)
offer = OfferRide(BOTH, SECONDS, SOME_DAY)
dina_claims, emil_claims, faye_claims = (ClaimRide(who, IN_TIME) for who in (DINA, EMIL, FAYE))
dina_declines, emil_declines, faye_declines = map(DeclineOffer, (DINA, EMIL, FAYE))
dina_withdraws, emil_withdraws = map(Withdraw, BOTH)
dina_arrives, emil_arrives = map(AnnounceArrival, BOTH)
dina_starts, emil_starts = map(StartRide, BOTH)
dina_completes, emil_completes = map(CompleteRide, BOTH)
cancel = CancelRide()
expire = ExpireOffer(1)

requested = RideRequested(ANNA, PICKUP, DROPOFF)
offered = RideOffered(1, BOTH, EXPIRED_AT, PICKUP)
dina_declined = OfferDeclined(1, DINA)
emil_declined = OfferDeclined(1, EMIL)
all_declined = OfferFailed(1, Failure.DECLINED, ())
expired = OfferFailed(1, Failure.EXPIRED, BOTH)
claimed_by_dina = RideClaimed(1, DINA, BOTH)
dina_withdrew = DriverWithdrew(1, DINA)
dina_arriving = DriverArriving(1, DINA)
started = RideStarted(DINA)
completed = RideCompleted(DINA)
cancelled = RideCancelled(0, None, ())
unserved = RideUnserved(1)

searching = (requested,)
asked = (requested, offered)
coming = (*asked, claimed_by_dina)
under_way = (*coming, started)
done = (*under_way, completed)
