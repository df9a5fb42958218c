"""A customer's timeline as it happens: it follows the log, not the read model."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from app.http.access import principal_of, requires
from app.http.live import LiveEvent, LiveStream, last_event_id
from app.kernel.cipher import Discloses, View, as_stored
from app.kernel.errors import ReadModelBehind
from app.kernel.event import RecordedEvent
from app.kernel.ids import check_id
from projections.live import LiveEvents, LiveLog
from projections.timeline.queries import Timelines

_LINKS = frozenset({"customer.identity_linked", "customer.identity_unlinked"})

_encoder = msgspec.json.Encoder()


class LiveTimelines:
    """Streams of timeline entries, each in the log's order, without gap or repeat."""

    def __init__(self, timelines: Timelines, log: LiveLog) -> None:
        """Take what knows entries and links, and the log."""
        self._timelines = timelines
        self._log = log

    async def entries(
        self, customer_id: str, after: int | None, view: View = as_stored
    ) -> LiveEvents:
        """Entries after a position, then as they come; only those from now on when it is None.

        Raises `PositionBeyondHead` at once. Ends when its reader is too slow, who then resumes from
        the last entry that it has got.
        """
        head = await self._log.head(after)
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
    ) -> LiveEvents:
        while True:
            stretch = _Stretch()
            async with aclosing(self._log.events(ids, after, stretch.part_of)) as batches:
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


class _Stretch:
    """What a client is to be sent while its customer's ids stay the same."""

    def __init__(self) -> None:
        self.relinked_at: int | None = None

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
