"""A driver's offers as they open and close: they follow the log, not the read model."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import Struct

from app.eventstore.broadcast import Broadcast
from app.eventstore.port import EventStore
from app.http.access import principal_of, requires
from app.http.live import LiveEvent, LiveStream, Subscription, last_event_id
from app.kernel.cipher import Discloses, View
from app.kernel.errors import PositionBeyondHead
from app.kernel.event import RecordedEvent
from app.kernel.ids import check_id
from app.modules.rides.events import (
    OfferDeclined,
    OfferFailed,
    RideCancelled,
    RideClaimed,
    RideOffered,
)
from projections.offers.queries import seen_offers

BACKLOG_PAGE_EVENTS = 500
STREAM_PREFIX = "ride-"

_TAGS = frozenset(
    each.tag for each in (RideOffered, OfferDeclined, OfferFailed, RideClaimed, RideCancelled)
)

Batches = AsyncGenerator[Sequence[LiveEvent], None]
Events = AsyncGenerator[Sequence[RecordedEvent], None]


class Closed(Struct, frozen=True):
    """A ride that the driver cannot claim any more."""

    ride_id: str
    type: str
    """The event that closed it, such as ``ride.claimed``, perhaps by this very driver."""
    position: int


class _Drivers(Struct, frozen=True):
    """Those whom an event of a ride is about, in whichever field they stand."""

    driver_ids: tuple[str, ...] = ()
    closed_for: tuple[str, ...] = ()
    driver_id: str | None = None


_encoder = msgspec.json.Encoder()
_drivers = msgspec.json.Decoder(_Drivers)


def drivers_of(event: RecordedEvent) -> Iterable[str]:
    """The drivers to whom the event opens a ride or closes it."""
    if event.type not in _TAGS or not event.stream.startswith(STREAM_PREFIX):
        return ()
    drivers = _drivers.decode(event.data)
    if event.type == OfferDeclined.tag and drivers.driver_id is not None:
        return (drivers.driver_id,)
    return (*drivers.driver_ids, *drivers.closed_for)


class LiveOffers:
    """Streams of what opens and closes to drivers, in the log's order, without gap or repeat."""

    def __init__(self, store: EventStore, broadcast: Broadcast) -> None:
        """Take the log, and what tells drivers (`drivers_of`) of its growth."""
        self._store = store
        self._broadcast = broadcast

    async def changes(self, driver_id: str, after: int | None, view: View) -> Batches:
        """Changes after a position, then as they come; only those from now on when it is None.

        Raises `PositionBeyondHead` at once. Ends when its reader is too slow, who then resumes from
        the last change that it has got.
        """
        head = await self._store.head()
        if after is not None and after > head:
            raise PositionBeyondHead(f"the log ends at position {head}", field="Last-Event-ID")
        return self._changes(driver_id, head if after is None else after, view)

    async def _changes(self, driver_id: str, after: int, view: View) -> Batches:
        async with aclosing(self._events(driver_id, after)) as batches:
            async for batch in batches:
                yield [await _live(event, view) for event in batch]

    async def _events(self, driver_id: str, after: int) -> Events:
        """What came since is looked for in the whole log: a driver is back within seconds."""
        subscription = Subscription[RecordedEvent]()
        with self._broadcast.listening([driver_id], subscription.offer):
            await self._broadcast.joined()
            last = after
            while page := await self._store.read_log(after=last, limit=BACKLOG_PAGE_EVENTS):
                if events := [event for event in page if driver_id in drivers_of(event)]:
                    yield events
                last = page[-1].position
            async for batch in subscription:
                if fresh := [event for event in batch if event.position > last]:
                    yield fresh
                    last = fresh[-1].position


async def _live(event: RecordedEvent, view: View) -> LiveEvent:
    ride_id = event.stream.removeprefix(STREAM_PREFIX)
    if event.type != RideOffered.tag:
        closed = Closed(ride_id, event.type, event.position)
        return LiveEvent(event.position, "closed", _encoder.encode(closed))
    [offer] = await seen_offers([(ride_id, event.position, event.customer_id, event.data)], view)
    return LiveEvent(event.position, "offer", _encoder.encode(offer))


def live_offer_routes(
    live: LiveOffers, closing: asyncio.Event, discloses: Discloses
) -> list[HTTPRouteHandler]:
    """``GET /v1/drivers/{driver_id}/offers/live``; streams end when `closing` is set."""

    @get(
        "/v1/drivers/{driver_id:str}/offers/live",
        opt=requires("rides:read"),
        tags=["Rides"],
        summary="Follow a driver's offers",
        media_type="text/event-stream",
    )
    async def follow_offers(request: Request[Any, Any, Any], driver_id: FromPath[str]) -> ASGIApp:
        """Server-sent events: `offer` for a ride that the driver may claim, with the fields of an
        offer, and `closed` (`ride_id`, `type`, `position`) when that is over.

        The `id` of each is its position. Sent as `Last-Event-ID`, it resumes the stream after that
        event without a gap or a repeat; without it, the stream begins with what comes next.
        """
        check_id(driver_id, field="driver_id")
        view = discloses.to(principal_of(request.scope))
        batches = await live.changes(driver_id, last_event_id(request.scope), view)
        return LiveStream(batches, closing=closing)

    return [follow_offers]
