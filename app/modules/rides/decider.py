"""A ride: offered to several drivers at once, until one of them has it. It ends in one way.

A ride that waits for an offer, or has an open one, is ended or moved on by a timer in any case; the
command of each names its round, and is nothing once the ride is elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.rides.events import (
    REGISTERED,
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
from app.modules.rides.ride import (
    Claimed,
    End,
    Ended,
    Known,
    NotRequested,
    Offered,
    Ride,
    Stage,
    Trip,
    Waiting,
    evolve_ride,
)


class NoSuchRide(NotFound, Refused):
    """There is no such ride."""


class RideAlreadyRequested(Refused):
    """Another ride was requested under this id."""


class OfferStillOpen(Refused):
    """The ride is offered to other drivers at the moment."""


class NobodyLeftToAsk(Refused):
    """Every driver named has declined the ride, or withdrawn from it."""


class NotOffered(Refused):
    """The ride is not offered to this driver."""


class OfferExpired(Refused):
    """The offer has expired."""


class RideTaken(Refused):
    """A driver has the ride already."""


class RideEnded(Refused):
    """The ride has ended."""


class NotTheDriver(Refused):
    """The driver does not have the ride."""


class RideUnderWay(Refused):
    """The ride is under way, and can only be completed."""


class RideNotStarted(Refused):
    """The ride has not started yet."""


class RequestRide(Struct, frozen=True):
    """Ask for a ride; nothing when this one was asked for before."""

    customer_id: str
    pickup: Sensitive[str]
    dropoff: Sensitive[str]


class OfferRide(Struct, frozen=True):
    """Ask drivers, all at once; those who have declined the ride are left out."""

    driver_ids: tuple[str, ...]
    seconds: int
    """How long the offer stands."""
    at: datetime


class ClaimRide(Struct, frozen=True):
    """Take the ride, as the first one does."""

    driver_id: str
    at: datetime


class DeclineOffer(Struct, frozen=True):
    """Do not take the ride, nor be asked again."""

    driver_id: str


class Withdraw(Struct, frozen=True):
    """Give the ride back, of the driver who has it."""

    driver_id: str


class AnnounceArrival(Struct, frozen=True):
    """Say that the driver is about to be there."""

    driver_id: str


class StartRide(Struct, frozen=True):
    """Drive off with the rider."""

    driver_id: str


class CompleteRide(Struct, frozen=True):
    """Say that the rider is there."""

    driver_id: str


class CancelRide(Struct, frozen=True):
    """Not want the ride any more, of the rider."""


class ExpireOffer(Struct, frozen=True, tag="expire-offer"):
    """End a round's offer, if it is still open."""

    round: int


class GiveUp(Struct, frozen=True, tag="give-up"):
    """End a ride that still waits for another offer after this round."""

    round: int


OfferCommand = OfferRide | ClaimRide | DeclineOffer
DriverCommand = AnnounceArrival | StartRide | CompleteRide | Withdraw
TimerCommand = ExpireOffer | GiveUp
RideCommand = RequestRide | OfferCommand | DriverCommand | CancelRide | TimerCommand


def decide_ride(command: RideCommand, ride: Ride) -> Sequence[Event]:
    """What follows from a command to a ride."""
    if isinstance(command, RequestRide):
        return _request(command, ride)
    if isinstance(ride, NotRequested):
        raise NoSuchRide
    match command:
        case OfferRide() | ClaimRide() | DeclineOffer():
            return _decide_offer(command, ride)
        case AnnounceArrival() | StartRide() | CompleteRide() | Withdraw():
            return _drive(command, ride)
        case CancelRide():
            return _cancel(ride)
        case ExpireOffer() | GiveUp():
            return _time_out(command, ride)
        case _:
            assert_never(command)


def _decide_offer(command: OfferCommand, ride: Known) -> Sequence[Event]:
    match command:
        case OfferRide():
            return _offer(command, ride)
        case ClaimRide():
            return _claim(command, ride)
        case DeclineOffer():
            return _decline(command, ride)
        case _:
            assert_never(command)


def _request(command: RequestRide, ride: Ride) -> Sequence[Event]:
    if isinstance(ride, NotRequested):
        return (RideRequested(command.customer_id, command.pickup, command.dropoff),)
    if ride.trip != Trip(command.customer_id, command.pickup, command.dropoff):
        raise RideAlreadyRequested
    return ()


def _offer(command: OfferRide, ride: Known) -> Sequence[Event]:
    match ride:
        case Waiting():
            return (_next_offer(command, ride),)
        case Offered() if ride.expires_at <= command.at:  # and its timer is late
            return (
                OfferFailed(ride.round, Failure.EXPIRED, ride.driver_ids),
                _next_offer(command, ride),
            )
        case Offered():
            if set(ride.driver_ids) != set(command.driver_ids) - ride.declined:
                raise OfferStillOpen
            return ()
        case Claimed():
            raise RideTaken
        case Ended():
            raise RideEnded
        case _:
            assert_never(ride)


def _next_offer(command: OfferRide, ride: Waiting | Offered) -> RideOffered:
    wanted = dict.fromkeys(command.driver_ids)
    driver_ids = tuple(each for each in wanted if each not in ride.declined)
    if not driver_ids:
        raise NobodyLeftToAsk
    expires_at = command.at + timedelta(seconds=command.seconds)
    return RideOffered(ride.round + 1, driver_ids, expires_at, ride.trip.pickup)


def _claim(command: ClaimRide, ride: Known) -> Sequence[Event]:
    match ride:
        case Waiting():
            raise OfferExpired if command.driver_id in ride.missed else NotOffered
        case Offered():
            if command.driver_id not in ride.driver_ids:
                raise NotOffered
            if ride.expires_at <= command.at:
                raise OfferExpired
            return (RideClaimed(ride.round, command.driver_id, ride.driver_ids),)
        case Claimed():
            if command.driver_id != ride.driver_id:
                raise RideTaken
            return ()
        case Ended():
            raise RideEnded
        case _:
            assert_never(ride)


def _decline(command: DeclineOffer, ride: Known) -> Sequence[Event]:
    """One that comes when the offer is gone is nothing, or still keeps from being asked again."""
    driver_id = command.driver_id
    match ride:
        case Ended():
            return ()
        case Waiting() | Offered() | Claimed() if driver_id in ride.declined:
            return ()
        case Waiting() if driver_id in ride.missed:
            return (OfferDeclined(ride.round, driver_id),)
        case Offered() if driver_id in ride.driver_ids:
            declined = OfferDeclined(ride.round, driver_id)
            if len(ride.driver_ids) > 1:
                return (declined,)
            return (declined, OfferFailed(ride.round, Failure.DECLINED, ()))
        case Waiting() | Offered():
            raise NotOffered
        case Claimed():
            if driver_id == ride.driver_id:
                raise RideTaken("the driver has the ride, and can only withdraw")
            return ()
        case _:
            assert_never(ride)


def _cancel(ride: Known) -> Sequence[Event]:
    match ride:
        case Waiting():
            return (RideCancelled(ride.round, None, ()),)
        case Offered():
            return (RideCancelled(ride.round, None, ride.driver_ids),)
        case Claimed():
            if ride.stage is Stage.UNDER_WAY:
                raise RideUnderWay
            return (RideCancelled(ride.round, ride.driver_id, ()),)
        case Ended():
            if ride.end is not End.CANCELLED:
                raise RideEnded
            return ()
        case _:
            assert_never(ride)


def _time_out(command: TimerCommand, ride: Known) -> Sequence[Event]:
    """Nothing, unless the ride still is where it was when the timer was set."""
    match command, ride:
        case ExpireOffer(), Offered(round=command.round):
            return (OfferFailed(ride.round, Failure.EXPIRED, ride.driver_ids),)
        case GiveUp(), Waiting(round=command.round):
            return (RideUnserved(ride.round),)
        case _:
            return ()


def _drive(command: DriverCommand, ride: Known) -> Sequence[Event]:
    match ride:
        case Claimed() if ride.driver_id == command.driver_id:
            return _proceed(command, ride)
        case Waiting() | Offered() | Claimed():
            if isinstance(command, Withdraw) and command.driver_id in ride.declined:
                return ()
            raise NotTheDriver
        case Ended():
            was_driven = ride.end is End.COMPLETED and ride.driver_id == command.driver_id
            if not was_driven or isinstance(command, Withdraw):
                raise RideEnded
            return ()
        case _:
            assert_never(ride)


def _proceed(command: DriverCommand, ride: Claimed) -> Sequence[Event]:
    """What the driver who has the ride says; what comes too late was overtaken, and is nothing."""
    driver_id, is_under_way = ride.driver_id, ride.stage is Stage.UNDER_WAY
    match command:
        case AnnounceArrival():
            is_news = ride.stage is Stage.COMING
            return (DriverArriving(ride.round, driver_id),) if is_news else ()
        case StartRide():
            return () if is_under_way else (RideStarted(driver_id),)
        case CompleteRide():
            if not is_under_way:
                raise RideNotStarted
            return (RideCompleted(driver_id),)
        case Withdraw():
            if is_under_way:
                raise RideUnderWay
            return (DriverWithdrew(ride.round, driver_id),)
        case _:
            assert_never(command)


def _customer_of(ride: Ride) -> str | None:
    return None if isinstance(ride, NotRequested) else ride.trip.customer_id


RIDE: Decider[RideCommand, Ride] = Decider(
    category="ride",
    initial=NotRequested(),
    decide=decide_ride,
    evolve=evolve_ride,
    events=REGISTERED,
    commands=(ExpireOffer, GiveUp),
    customer_of=_customer_of,
)
