"""What riders are told while a driver is looked for, and comes."""

from collections.abc import Iterable
from typing import Any

from app.kernel.policy import Effect, Happened, Policy, Send
from app.modules.messages.decider import MESSAGE, MessageCommand, RequestMessage
from app.modules.messages.events import Priority
from app.modules.rides.events import DriverArriving, DriverWithdrew, RideClaimed, RideUnserved


def _claimed(happened: Happened[RideClaimed]) -> Iterable[Effect]:
    ride = happened.event
    text = f"Driver {ride.driver_id} is coming."
    yield _tell(happened, "ride-claimed", ride.round, text)


def _withdrew(happened: Happened[DriverWithdrew]) -> Iterable[Effect]:
    ride = happened.event
    text = f"Driver {ride.driver_id} cannot come. We are looking for another one."
    yield _tell(happened, "ride-driver-withdrew", ride.round, text)


def _arriving(happened: Happened[DriverArriving]) -> Iterable[Effect]:
    ride = happened.event
    text = f"Driver {ride.driver_id} is arriving."
    yield _tell(happened, "ride-driver-arriving", ride.round, text)


def _unserved(happened: Happened[RideUnserved]) -> Iterable[Effect]:
    text = "Nobody is available at the moment. Your ride has not been booked."
    yield _tell(happened, "ride-unserved", happened.event.round, text)


def _tell(happened: Happened[Any], kind: str, round_: int, text: str) -> Send[MessageCommand]:
    """At once: who waits for a ride wants to know at any hour. Each is said once a round."""
    return Send(
        MESSAGE,
        f"{kind}:{happened.thing_id}:{round_}",
        RequestMessage(kind, text, Priority.HIGH),
        happened.customer_id,
    )


DISPATCH = Policy(
    "dispatch",
    {
        RideClaimed: _claimed,
        DriverWithdrew: _withdrew,
        DriverArriving: _arriving,
        RideUnserved: _unserved,
    },
)
