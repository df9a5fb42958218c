"""A small business to react to: parcels that wait to be collected."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import ClassVar, assert_never

from msgspec import Struct

from app.eventstore.codec import Codec
from app.kernel.decider import Decider
from app.kernel.errors import Refused, UnknownEvent
from app.kernel.event import Event, EventCatalogue
from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.messages.events import MessageRead, MessageRequested
from app.reactions.events import ReactionRefused
from app.reactions.reactor import Rules

PATIENCE = timedelta(hours=48)


class ParcelArrived(Event, frozen=True):
    """It waits to be collected."""

    tag: ClassVar[str] = "parcel.arrived"
    title: ClassVar[str] = "A parcel arrived"
    customer_id: str


class ParcelCollected(Event, frozen=True):
    """It is gone."""

    tag: ClassVar[str] = "parcel.collected"
    title: ClassVar[str] = "Collected a parcel"


class ParcelReturned(Event, frozen=True):
    """Nobody came."""

    tag: ClassVar[str] = "parcel.returned"
    title: ClassVar[str] = "A parcel was returned"


class ParcelShaken(Event, frozen=True):
    """It is shaken for ever."""

    tag: ClassVar[str] = "parcel.shaken"
    title: ClassVar[str] = "Shook a parcel"


class Arrive(Struct, frozen=True):
    customer_id: str


class Collect(Struct, frozen=True):
    pass


class Return(Struct, frozen=True, tag="return"):
    pass


class Shake(Struct, frozen=True):
    pass


class Gone(Refused):
    """The parcel is gone."""


class Parcel(Struct, frozen=True):
    customer_id: str | None = None
    is_gone: bool = False


ParcelCommand = Arrive | Collect | Return | Shake


def decide(command: ParcelCommand, parcel: Parcel) -> Sequence[Event]:
    match command:
        case Arrive(customer_id):
            return (ParcelArrived(customer_id),)
        case Collect():
            if parcel.is_gone:
                raise Gone
            return (ParcelCollected(),)
        case Return():
            return () if parcel.is_gone else (ParcelReturned(),)
        case Shake():
            return (ParcelShaken(),)
        case _:
            assert_never(command)


def evolve(parcel: Parcel, event: Event) -> Parcel:
    match event:
        case ParcelArrived(customer_id):
            return Parcel(customer_id)
        case ParcelCollected() | ParcelReturned():
            return Parcel(parcel.customer_id, is_gone=True)
        case ParcelShaken():
            return parcel
        case _:
            raise UnknownEvent


PARCEL: Decider[ParcelCommand, Parcel] = Decider(
    category="parcel",
    initial=Parcel(),
    decide=decide,
    evolve=evolve,
    events=(ParcelArrived, ParcelCollected, ParcelReturned, ParcelShaken),
    commands=(Return,),
    customer_of=lambda parcel: parcel.customer_id,
)


def _on_arrival(happened: Happened[ParcelArrived]) -> Iterable[Effect]:
    if happened.thing_id == "poison":
        raise ZeroDivisionError("it is poisoned")
    yield from _on_any_arrival(happened)


def _on_any_arrival(happened: Happened[ParcelArrived]) -> Iterable[Effect]:
    text = f"Parcel {happened.thing_id} waits for you"
    yield Send(
        MESSAGE, happened.thing_id, RequestMessage("parcel", text), customer_id=happened.customer_id
    )
    yield SetTimer(
        f"return:{happened.thing_id}",
        happened.at + PATIENCE,
        Send(PARCEL, happened.thing_id, Return()),
    )


def _on_collection(happened: Happened[ParcelCollected]) -> Iterable[Effect]:
    yield CancelTimer(f"return:{happened.thing_id}")


def _on_return(happened: Happened[ParcelReturned]) -> Iterable[Effect]:
    yield Send(PARCEL, happened.thing_id, Collect())  # which is refused


def _on_shaking(happened: Happened[ParcelShaken]) -> Iterable[Effect]:
    yield Send(PARCEL, happened.thing_id, Shake())


POLICY = Policy(
    "parcels",
    {
        ParcelArrived: _on_arrival,
        ParcelCollected: _on_collection,
        ParcelReturned: _on_return,
        ParcelShaken: _on_shaking,
    },
)
RULES = Rules((POLICY,), (PARCEL, MESSAGE))
MENDED = Rules(
    (Policy("parcels", {**POLICY.reactions, ParcelArrived: _on_any_arrival}),), RULES.deciders
)
"""With which nothing is poisonous."""
CODEC = Codec(EventCatalogue([*PARCEL.events, MessageRequested, MessageRead, ReactionRefused]))
