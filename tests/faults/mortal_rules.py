"""Parcels again, with patience of a second, so that timers fire all the time."""

from collections.abc import Iterable
from datetime import timedelta

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.reactions.reactor import Rules
from tests.integration.reactions.parcels import (
    PARCEL,
    ParcelArrived,
    ParcelCollected,
    ParcelReturned,
    Return,
)

PATIENCE = timedelta(seconds=1)


def _on_arrival(happened: Happened[ParcelArrived]) -> Iterable[Effect]:
    yield Send(
        MESSAGE,
        happened.thing_id,
        RequestMessage("parcel", "It waits for you"),
        customer_id=happened.customer_id,
    )
    yield SetTimer(
        f"return:{happened.thing_id}",
        happened.at + PATIENCE,
        Send(PARCEL, happened.thing_id, Return()),
    )


def _on_collection(happened: Happened[ParcelCollected]) -> Iterable[Effect]:
    yield CancelTimer(f"return:{happened.thing_id}")


def _on_return(happened: Happened[ParcelReturned]) -> Iterable[Effect]:
    yield Send(
        MESSAGE,
        f"back:{happened.thing_id}",
        RequestMessage("parcel", "It went back"),
        customer_id=happened.customer_id,
    )


POLICY = Policy(
    "parcels",
    {ParcelArrived: _on_arrival, ParcelCollected: _on_collection, ParcelReturned: _on_return},
)
RULES = Rules((POLICY,), (PARCEL, MESSAGE))
