"""What happens to a ride, from its request to its end."""

from datetime import datetime
from enum import Enum
from typing import ClassVar

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive


class Failure(Enum):
    """Why nobody took an offer."""

    DECLINED = "declined"
    """By everybody who was asked."""
    EXPIRED = "expired"


class RideRequested(Event, frozen=True):
    """Somebody wants to be driven."""

    tag: ClassVar[str] = "ride.requested"
    title: ClassVar[str] = "Requested a ride"

    customer_id: str
    pickup: Sensitive[str]
    dropoff: Sensitive[str]


class RideOffered(Event, frozen=True):
    """Some drivers are asked at once; the first to claim the ride has it."""

    tag: ClassVar[str] = "ride.offered"
    title: ClassVar[str] = "Looking for a driver (round {round})"

    round: int
    """Counted from 1."""
    driver_ids: tuple[str, ...]
    expires_at: datetime
    pickup: Sensitive[str]
    """As it was requested, for the drivers to see."""


class OfferDeclined(Event, frozen=True):
    """One of the drivers does not want the ride, and is not asked again."""

    tag: ClassVar[str] = "ride.offer_declined"
    title: ClassVar[str] = "A driver declined"

    round: int
    driver_id: str


class OfferFailed(Event, frozen=True):
    """Nobody took the offer, so that the ride may be offered again."""

    tag: ClassVar[str] = "ride.offer_failed"
    title: ClassVar[str] = "No driver yet ({reason})"

    round: int
    reason: Failure
    closed_for: tuple[str, ...]
    """The drivers whose offer ends by this."""


class RideClaimed(Event, frozen=True):
    """A driver has the ride, and nobody else."""

    tag: ClassVar[str] = "ride.claimed"
    title: ClassVar[str] = "Driver {driver_id} is coming"

    round: int
    driver_id: str
    closed_for: tuple[str, ...]
    """The drivers whose offer ends by this, the winner too."""


class DriverWithdrew(Event, frozen=True):
    """The driver who had the ride cannot come; it may be offered to others."""

    tag: ClassVar[str] = "ride.driver_withdrew"
    title: ClassVar[str] = "Driver {driver_id} cannot come"

    round: int
    driver_id: str


class DriverArriving(Event, frozen=True):
    """The driver is about to be there."""

    tag: ClassVar[str] = "ride.driver_arriving"
    title: ClassVar[str] = "Driver {driver_id} is arriving"

    round: int
    driver_id: str


class RideStarted(Event, frozen=True):
    """The rider is on the way."""

    tag: ClassVar[str] = "ride.started"
    title: ClassVar[str] = "On the way with {driver_id}"

    driver_id: str


class RideCompleted(Event, frozen=True):
    """The rider is there."""

    tag: ClassVar[str] = "ride.completed"
    title: ClassVar[str] = "Completed the ride"

    driver_id: str


class RideCancelled(Event, frozen=True):
    """The rider does not want the ride any more."""

    tag: ClassVar[str] = "ride.cancelled"
    title: ClassVar[str] = "Cancelled the ride"

    round: int
    """The last one; 0: it was not offered yet."""
    driver_id: str | None
    """Who had the ride, if somebody had."""
    closed_for: tuple[str, ...]
    """The drivers whose offer ends by this."""


class RideUnserved(Event, frozen=True):
    """Nobody was available, and the search is over."""

    tag: ClassVar[str] = "ride.unserved"
    title: ClassVar[str] = "No driver was available"

    round: int
    """The last one; 0: it was never offered."""


REGISTERED = (
    RideRequested,
    RideOffered,
    OfferDeclined,
    OfferFailed,
    RideClaimed,
    DriverWithdrew,
    DriverArriving,
    RideStarted,
    RideCompleted,
    RideCancelled,
    RideUnserved,
)
"""The event types of this module, for the catalogue."""
