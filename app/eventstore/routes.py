"""The log and its streams, as they were recorded."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from app.eventstore.port import EventStore
from app.eventstore.seeing import seen
from app.http.access import principal_of, requires
from app.http.parameters import OptionalPosition
from app.kernel.cipher import Discloses
from app.kernel.cursors import Cursors
from app.kernel.errors import NotFound, PositionBeyondHead
from app.kernel.event import RecordedEvent

MAX_PAGE_EVENTS = 1_000
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""A page with so many ends, whatever its limit."""
PART_EVENTS = 100
"""Read at a time: as many of the largest make a page too large, but no more."""

MAX_VERSION = 2**31 - 1

_LOG = "log"

OptionalVersion = Annotated[
    int | None,
    QueryParameter(ge=0, le=MAX_VERSION, description="Of an event: those after it, exclusive."),
]
Limit = Annotated[
    int,
    QueryParameter(ge=1, le=MAX_PAGE_EVENTS, description="How many events at the most."),
]


class EventPage(Struct, frozen=True):
    """Some events, and where to go on."""

    items: Sequence[RecordedEvent]
    next_cursor: str | None
    """Null when there is nothing more at the moment."""


async def check_recorded(store: EventStore, min_position: int | None) -> None:
    """Refuse a position that the log has not come to: `PositionBeyondHead`."""
    if min_position and min_position > (head := await store.head()):
        raise PositionBeyondHead(
            f"the log ends at position {head}, before {min_position}", field="min_position"
        )


async def read_page(
    read: Callable[[RecordedEvent | None, int], Awaitable[Sequence[RecordedEvent]]], limit: int
) -> tuple[Sequence[RecordedEvent], bool]:
    """As many events as a page may hold, and whether there may be more.

    `read` reads some events after the one that it is given, at most so many.
    """
    page: list[RecordedEvent] = []
    size_bytes = 0
    while len(page) < limit and size_bytes < MAX_PAGE_BYTES:
        wanted = min(PART_EVENTS, limit - len(page))
        part = await read(page[-1] if page else None, wanted)
        page += part
        size_bytes += sum(memoryview(event.data).nbytes for event in part)
        if len(part) < wanted:
            return page, False
    return page, True


def log_routes(store: EventStore, discloses: Discloses, cursors: Cursors) -> list[HTTPRouteHandler]:
    """``GET /v1/events`` and ``GET /v1/streams/{stream}``."""

    async def told(
        request: Request[Any, Any, Any], events: Sequence[RecordedEvent]
    ) -> Sequence[RecordedEvent]:
        return await seen(events, discloses.to(principal_of(request.scope)))

    @get("/v1/events", opt=requires("events:read"), tags=["Events"], summary="Read the log")
    async def read_events(
        request: Request[Any, Any, Any],
        after: OptionalPosition = None,
        cursor: FromQuery[str | None] = None,
        limit: Limit = 100,
        min_position: OptionalPosition = None,
    ) -> EventPage:
        """All events after the position `after` (exclusive), ascending; positions are dense.

        A page goes on at its `next_cursor`, or after the position of its last event.
        """
        await check_recorded(store, min_position)
        (begin,) = cursors.decode(cursor, tuple[int], _LOG) if cursor else (after or 0,)

        async def read(last: RecordedEvent | None, limit: int) -> Sequence[RecordedEvent]:
            return await store.read_log(after=last.position if last else begin, limit=limit)

        events, more = await read_page(read, limit)
        next_cursor = cursors.encode((events[-1].position,), _LOG) if more else None
        return EventPage(await told(request, events), next_cursor)

    @get(
        "/v1/streams/{stream:str}",
        opt=requires("events:read"),
        tags=["Events"],
        summary="Read a stream",
    )
    async def read_stream(
        request: Request[Any, Any, Any],
        stream: FromPath[str],
        *,
        after: OptionalVersion = None,
        cursor: FromQuery[str | None] = None,
        limit: Limit = 100,
        min_position: OptionalPosition = None,
    ) -> EventPage:
        """The events of one stream, such as `customer-ann` or `activity-ann`, by version.

        A page goes on at its `next_cursor`, or after the version of its last event.
        """
        await check_recorded(store, min_position)
        query = ("stream", stream)
        (after_version,) = cursors.decode(cursor, tuple[int], *query) if cursor else (after or 0,)

        async def read(last: RecordedEvent | None, limit: int) -> Sequence[RecordedEvent]:
            since = last.version if last else after_version
            return await store.read_stream(stream, after_version=since, limit=limit)

        events, more = await read_page(read, limit)
        if not events and not after_version:
            raise NotFound(f"there is no stream {stream!r}")
        next_cursor = cursors.encode((events[-1].version,), *query) if more else None
        return EventPage(await told(request, events), next_cursor)

    return [read_events, read_stream]
