"""What a ride is at any time of its life, and what events make of it."""

from datetime import datetime
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.rides.events import (
    DriverArriving,
    DriverWithdrew,
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


class NotRequested(Struct, frozen=True):
    """There is no ride."""


class Trip(Struct, frozen=True):
    """Who wants to be driven, and from where to where."""

    customer_id: str
    pickup: Sensitive[str]
    dropoff: Sensitive[str]


class Waiting(Struct, frozen=True):
    """Nobody is asked at the moment."""

    trip: Trip
    round: int = 0
    """The last one."""
    declined: frozenset[str] = frozenset()
    """Who is not asked again."""
    missed: frozenset[str] = frozenset()
    """Whose offer has run out in the last round."""


class Offered(Struct, frozen=True):
    """Some drivers are asked."""

    trip: Trip
    round: int
    declined: frozenset[str]
    driver_ids: tuple[str, ...]
    """Those who have not declined."""
    expires_at: datetime


class Stage(Enum):
    """How far a driver has come."""

    COMING = "coming"
    ARRIVING = "arriving"
    UNDER_WAY = "under way"


class Claimed(Struct, frozen=True):
    """A driver has it."""

    trip: Trip
    round: int
    declined: frozenset[str]
    driver_id: str
    stage: Stage = Stage.COMING


class End(Enum):
    """How a ride may end."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNSERVED = "unserved"


class Ended(Struct, frozen=True):
    """It is over."""

    trip: Trip
    end: End
    driver_id: str | None = None
    """Who had it, if somebody had."""


Known = Waiting | Offered | Claimed | Ended
Ride = NotRequested | Known


def evolve_ride(ride: Ride, event: Event) -> Ride:
    """The ride after an event."""
    after: Ride | None = None
    match ride:
        case NotRequested():
            if isinstance(event, RideRequested):
                after = Waiting(Trip(event.customer_id, event.pickup, event.dropoff))
        case Waiting():
            after = _after_waiting(ride, event)
        case Offered():
            after = _after_offer(ride, event)
        case Claimed():
            after = _after_claim(ride, event)
    if after is None:
        raise UnknownEvent(f"{event.tag} is no event of a ride that is {type(ride).__name__}")
    return after


def _after_waiting(ride: Waiting, event: Event) -> Ride | None:
    match event:
        case RideOffered():
            return Offered(
                ride.trip, event.round, ride.declined, event.driver_ids, event.expires_at
            )
        case OfferDeclined(driver_id=driver_id):
            declined, missed = ride.declined | {driver_id}, ride.missed - {driver_id}
            return replace(ride, declined=declined, missed=missed)
        case RideCancelled():
            return Ended(ride.trip, End.CANCELLED)
        case RideUnserved():
            return Ended(ride.trip, End.UNSERVED)
    return None


def _after_offer(ride: Offered, event: Event) -> Ride | None:
    match event:
        case OfferDeclined(driver_id=driver_id):
            left = tuple(each for each in ride.driver_ids if each != driver_id)
            return replace(ride, declined=ride.declined | {driver_id}, driver_ids=left)
        case OfferFailed():
            return Waiting(ride.trip, ride.round, ride.declined, frozenset(event.closed_for))
        case RideClaimed():
            return Claimed(ride.trip, ride.round, ride.declined, event.driver_id)
        case RideCancelled():
            return Ended(ride.trip, End.CANCELLED)
    return None


def _after_claim(ride: Claimed, event: Event) -> Ride | None:
    match event:
        case DriverArriving():
            return replace(ride, stage=Stage.ARRIVING)
        case RideStarted():
            return replace(ride, stage=Stage.UNDER_WAY)
        case RideCompleted():
            return Ended(ride.trip, End.COMPLETED, ride.driver_id)
        case DriverWithdrew():
            return Waiting(ride.trip, ride.round, ride.declined | {ride.driver_id})
        case RideCancelled():
            return Ended(ride.trip, End.CANCELLED, ride.driver_id)
    return None
