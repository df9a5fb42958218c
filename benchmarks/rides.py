"""Rides in the log that nobody has commanded: what the reactor is measured with."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from app.catalogue import CODEC
from app.eventstore.codec import encode_metadata
from app.eventstore.port import Append, EventStore, StreamAppend
from app.kernel.event import Event, Metadata, NewEvent
from app.kernel.ids import new_event_id, stream_name
from app.modules.rides.events import DriverArriving, RideOffered, RideRequested
from benchmarks.sample import Crowd


async def append(store: EventStore, appends: Sequence[Append]) -> None:
    """Append them all. Raises when one is refused."""
    for appended in await store.append_many(appends):
        if isinstance(appended, Exception):
            raise appended


def interactions(count: int) -> Iterator[Append]:
    """Events of services, that no policy asks for."""
    crowd = Crowd(seed=11)
    for _ in range(count):
        customer_id = crowd.customer()
        stream = stream_name("activity", customer_id)
        yield Append((StreamAppend(stream, (crowd.event(customer_id),)),))


def arrivals(count: int) -> Iterator[Append]:
    """Events that each lead to one message, whose text is sealed; of all the crowd's customers."""
    crowd = Crowd(seed=12)
    for _ in range(count):
        yield _ride(crowd.customer(), DriverArriving(1, "driver-2"))


def expiring_offers(count: int, first: datetime, per_second: int) -> Iterator[Append]:
    """Rides whose offers run out at an even pace."""
    crowd = Crowd(seed=13)
    for number in range(count):
        customer_id = crowd.customer()
        expires_at = first + timedelta(seconds=number / per_second)
        yield _ride(
            customer_id,
            RideRequested(customer_id, "Kanalstraße 3", "Central Station"),
            RideOffered(1, ("driver-1", "driver-2"), expires_at, "Kanalstraße 3"),
        )


def _ride(customer_id: str, *events: Event) -> Append:
    stream = stream_name("ride", str(uuid4()))
    return Append((StreamAppend(stream, tuple(_new(event, customer_id) for event in events)),))


def _new(event: Event, customer_id: str) -> NewEvent:
    return NewEvent(
        event_id=new_event_id(),
        type=event.tag,
        data=CODEC.encode(event),
        metadata=encode_metadata(Metadata(source="default")),
        customer_id=customer_id,
    )
