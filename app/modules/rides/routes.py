"""Commands to rides over HTTP: the rider's, the dispatcher's and the drivers'."""

from typing import Annotated, Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Nothing
from app.kernel.clock import Clock
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.modules.rides.decider import (
    RIDE,
    AnnounceArrival,
    CancelRide,
    ClaimRide,
    CompleteRide,
    DeclineOffer,
    OfferRide,
    RequestRide,
    RideCommand,
    StartRide,
    Withdraw,
)
from app.security.commands import Commands, command

MAX_RIDE_ID_CHARACTERS = 150
"""The ids of timers and messages about a ride hold its id, and something besides."""
MAX_DRIVERS = 100
"""That one offer asks."""
MAX_OFFER_S = 3600
MAX_PLACE_CHARACTERS = 500

_PATH = "/v1/rides/{ride_id:str}"
_TAGS = ["Rides"]

DriverId = Annotated[str, Meta(description="A driver, by your own id.", examples=["driver-3"])]


class RideRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to be driven, and from where to where."""

    customer_id: Annotated[str, Meta(description="The rider.", examples=["anna"])]
    pickup: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_PLACE_CHARACTERS,
            description="Where it begins; stored sealed, and shown to `pii:read` alone.",
            examples=["Kanalstraße 3"],
        ),
    ]
    dropoff: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_PLACE_CHARACTERS,
            description="Where it leads; sealed as well.",
            examples=["Central Station"],
        ),
    ]


class Offering(Struct, frozen=True, forbid_unknown_fields=True):
    """Which drivers are asked, and for how long."""

    driver_ids: Annotated[
        tuple[DriverId, ...],
        Meta(
            min_length=1,
            max_length=MAX_DRIVERS,
            description="Those who have declined the ride, or withdrawn from it, are left out.",
            examples=[["driver-3", "driver-8"]],
        ),
    ]
    seconds: Annotated[
        int,
        Meta(ge=1, le=MAX_OFFER_S, description="How long the offer stands.", examples=[20]),
    ]


class Driver(Struct, frozen=True, forbid_unknown_fields=True):
    """Which driver says so."""

    driver_id: DriverId


def ride_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    """The routes of the commands to a ride."""
    return [
        *_rider_routes(commands),
        *_offer_routes(commands, clock),
        *_driver_routes(commands),
    ]


def _rider_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/request", scope="rides:write", summary="Request a ride", tags=_TAGS)
    async def request_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[RideRequest]
    ) -> ASGIApp:
        """Begins a ride. When nobody offers it for two minutes, it ends: nobody is available."""
        customer_id = check_customer_id(data.customer_id)
        asked = RequestRide(customer_id, data.pickup, data.dropoff)
        return await commands.run(request, _step(ride_id, asked, customer_id))

    @command(f"{_PATH}/cancel", scope="rides:write", summary="Cancel a ride", tags=_TAGS)
    async def cancel_ride(
        request: Request[Any, Any, Any],
        ride_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """In the rider's name, at any time before the ride is under way."""
        return await commands.run(request, _step(ride_id, CancelRide()))

    return [request_ride, cancel_ride]


def _offer_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/offer", scope="rides:write", summary="Offer a ride to drivers", tags=_TAGS)
    async def offer_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Offering]
    ) -> ASGIApp:
        """Asks several drivers at once; the first to claim the ride has it.

        Once all have declined, or the offer has expired, or the driver who had the ride has
        withdrawn, it may be offered again. Refused while it is offered to others.
        """
        for number, driver_id in enumerate(data.driver_ids):
            check_id(driver_id, field=f"driver_ids[{number}]")
        offer = OfferRide(data.driver_ids, data.seconds, clock())
        return await commands.run(request, _step(ride_id, offer))

    @command(f"{_PATH}/claim", scope="rides:write", summary="Claim a ride", tags=_TAGS)
    async def claim_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """Exactly one driver wins: all others are refused, however many claim at once.

        A repeat by the winner records nothing and is answered with 200 as the first was.
        """
        claim = ClaimRide(_driver_id(data), clock())
        return await commands.run(request, _step(ride_id, claim))

    @command(f"{_PATH}/decline", scope="rides:write", summary="Decline a ride", tags=_TAGS)
    async def decline_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """The driver is not asked again for this ride. One that comes too late does no harm."""
        return await commands.run(request, _step(ride_id, DeclineOffer(_driver_id(data))))

    return [offer_ride, claim_ride, decline_ride]


def _driver_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/withdraw", scope="rides:write", summary="Give a ride back", tags=_TAGS)
    async def withdraw_from_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """The driver who has the ride cannot come; it may be offered to others."""
        return await commands.run(request, _step(ride_id, Withdraw(_driver_id(data))))

    @command(f"{_PATH}/arrive", scope="rides:write", summary="Announce a driver", tags=_TAGS)
    async def announce_arrival(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """The driver is about to be at the pickup."""
        return await commands.run(request, _step(ride_id, AnnounceArrival(_driver_id(data))))

    @command(f"{_PATH}/start", scope="rides:write", summary="Start a ride", tags=_TAGS)
    async def start_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """The rider is on the way. From then on, the ride can only be completed."""
        return await commands.run(request, _step(ride_id, StartRide(_driver_id(data))))

    @command(f"{_PATH}/complete", scope="rides:write", summary="Complete a ride", tags=_TAGS)
    async def complete_ride(
        request: Request[Any, Any, Any], ride_id: FromPath[str], data: JSONBody[Driver]
    ) -> ASGIApp:
        """The rider is there. Refused before the ride has started."""
        return await commands.run(request, _step(ride_id, CompleteRide(_driver_id(data))))

    return [withdraw_from_ride, announce_arrival, start_ride, complete_ride]


def _driver_id(data: Driver) -> str:
    return check_id(data.driver_id, field="driver_id")


def _step(ride_id: str, asked: RideCommand, customer_id: str | None = None) -> Step[RideCommand]:
    check_id(ride_id, field="ride_id")
    if len(ride_id) > MAX_RIDE_ID_CHARACTERS:
        raise InvalidInput(
            f"a ride's id has 1 to {MAX_RIDE_ID_CHARACTERS} characters", field="ride_id"
        )
    return Step(RIDE, ride_id, asked, customer_id)
