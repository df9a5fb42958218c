"""A customer's timeline as it happens: it follows the log, not the read model."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from app.eventstore.broadcast import Broadcast
from app.eventstore.port import EventStore
from app.http.access import principal_of, requires
from app.http.live import LiveEvent, LiveStream, Subscription, last_event_id
from app.kernel.cipher import Discloses, View, as_stored
from app.kernel.errors import PositionBeyondHead, ReadModelBehind
from app.kernel.event import RecordedEvent
from app.kernel.ids import check_id
from projections.timeline.queries import Timelines

BACKLOG_PAGE_EVENTS = 100

_LINKS = frozenset({"customer.identity_linked", "customer.identity_unlinked"})

_encoder = msgspec.json.Encoder()

Batches = AsyncGenerator[Sequence[LiveEvent], None]
Events = AsyncGenerator[Sequence[RecordedEvent], None]


class LiveTimelines:
    """Streams of timeline entries, each in the log's order, without gap or repeat."""

    def __init__(self, timelines: Timelines, store: EventStore, broadcast: Broadcast) -> None:
        """Take what knows entries and links, the log, and what is told of its growth."""
        self._timelines = timelines
        self._store = store
        self._broadcast = broadcast

    async def entries(self, customer_id: str, after: int | None, view: View = as_stored) -> Batches:
        """Entries after a position, then as they come; only those from now on when it is None.

        Raises `PositionBeyondHead` at once. Ends when its reader is too slow, who then resumes from
        the last entry that it has got.
        """
        head = await self._store.head()
        if after is not None and after > head:
            raise PositionBeyondHead(f"the log ends at position {head}", field="Last-Event-ID")
        ids = await self._ids_of(customer_id, head)
        return self._entries(customer_id, ids, head if after is None else after, view)

    async def _ids_of(self, customer_id: str, position: int) -> list[str]:
        """The customer's ids at a position; while links are behind, those known so far."""
        try:
            return await self._timelines.ids_of(customer_id, min_position=position)
        except ReadModelBehind:
            return await self._timelines.ids_of(customer_id)

    async def _entries(
        self, customer_id: str, ids: Sequence[str], after: int, view: View
    ) -> Batches:
        while True:
            stretch = _Stretch()
            async with aclosing(self._stretch(stretch, ids, after)) as batches:
                async for batch in batches:
                    yield await self._live(batch, view)
                    after = batch[-1].position
                    if stretch.relinked_at is not None and after >= stretch.relinked_at:
                        break
                else:
                    return
            # From here on the customer's events stand under other ids, too, or fewer.
            ids = await self._ids_of(customer_id, stretch.relinked_at)

    async def _live(self, events: Sequence[RecordedEvent], view: View) -> list[LiveEvent]:
        return [
            LiveEvent(entry.position, "entry", _encoder.encode(entry))
            for entry in await self._timelines.entries_of(events, view)
        ]

    async def _stretch(self, stretch: "_Stretch", ids: Sequence[str], after: int) -> Events:
        """Events of the ids, as long as these are the customer's."""
        with self._broadcast.listening(ids, stretch.offer):
            await self._broadcast.joined()
            last = after
            while page := await self._store.read_log(
                after=last, limit=BACKLOG_PAGE_EVENTS, customer_ids=ids
            ):
                if events := stretch.part_of(page):
                    yield events
                last = page[-1].position
            async for batch in stretch.subscription:
                if fresh := [event for event in batch if event.position > last]:
                    yield fresh
                    last = fresh[-1].position


class _Stretch:
    """What a client is to be sent while its customer's ids stay the same."""

    def __init__(self) -> None:
        self.subscription = Subscription[RecordedEvent]()
        self.relinked_at: int | None = None

    def offer(self, events: Sequence[RecordedEvent]) -> None:
        self.subscription.offer(self.part_of(events))

    def part_of(self, events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
        """The events up to the first link or unlink, which ends the stretch."""
        part = []
        for event in events:
            if self.relinked_at is not None and event.position > self.relinked_at:
                break
            part.append(event)
            if event.type in _LINKS:
                self.relinked_at = event.position
        return part


def live_timeline_routes(
    live: LiveTimelines, closing: asyncio.Event, discloses: Discloses
) -> list[HTTPRouteHandler]:
    """``GET /v1/customers/{customer_id}/timeline/live``; streams end when `closing` is set."""

    @get(
        "/v1/customers/{customer_id:str}/timeline/live",
        opt=requires("timeline:read", own="customer_id"),
        tags=["Customers"],
        summary="Follow a customer's timeline",
        media_type="text/event-stream",
    )
    async def follow_timeline(
        request: Request[Any, Any, Any], customer_id: FromPath[str]
    ) -> ASGIApp:
        """Server-sent events, each an entry of the timeline, as soon as it is recorded.

        The `id` of each is its position. Sent as `Last-Event-ID`, it resumes the stream after that
        entry without a gap or a repeat; without it, the stream begins with what comes next.
        """
        check_id(customer_id, field="customer_id")
        view = discloses.to(principal_of(request.scope))
        batches = await live.entries(customer_id, last_event_id(request.scope), view)
        return LiveStream(batches, closing=closing)

    return [follow_timeline]
