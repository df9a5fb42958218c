"""The log and its streams, as they were recorded."""

import re
from collections.abc import Sequence
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
from app.kernel.errors import InvalidInput, NotFound, PositionBeyondHead
from app.kernel.event import RecordedEvent

MAX_PAGE_EVENTS = 1_000
MAX_VERSION = 2**31 - 1

_VERSION = re.compile(r"[0-9]{1,10}")

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


def log_routes(store: EventStore, discloses: Discloses) -> list[HTTPRouteHandler]:
    """``GET /v1/events`` and ``GET /v1/streams/{stream}``."""

    async def told(
        request: Request[Any, Any, Any], events: Sequence[RecordedEvent]
    ) -> Sequence[RecordedEvent]:
        return await seen(events, discloses.to(principal_of(request.scope)))

    @get("/v1/events", opt=requires("events:read"), tags=["Events"], summary="Read the log")
    async def read_events(
        request: Request[Any, Any, Any],
        after: OptionalPosition = None,
        limit: Limit = 100,
        min_position: OptionalPosition = None,
    ) -> EventPage:
        """All events after the position `after` (exclusive), ascending; positions are dense."""
        await check_recorded(store, min_position)
        events = await store.read_log(after=after or 0, limit=limit)
        more = len(events) == limit
        cursor = str(events[-1].position) if more else None
        return EventPage(await told(request, events), cursor)

    @get(
        "/v1/streams/{stream:str}",
        opt=requires("events:read"),
        tags=["Events"],
        summary="Read a stream",
    )
    async def read_stream(
        request: Request[Any, Any, Any],
        stream: FromPath[str],
        cursor: FromQuery[str | None] = None,
        limit: Limit = 100,
        min_position: OptionalPosition = None,
    ) -> EventPage:
        """The events of one stream, such as `customer-ann` or `activity-ann`, by version."""
        await check_recorded(store, min_position)
        after_version = _version(cursor)
        events = await store.read_stream(stream, after_version=after_version, limit=limit)
        if not events and not after_version:
            raise NotFound(f"there is no stream {stream!r}")
        more = len(events) == limit
        next_cursor = str(events[-1].version) if more else None
        return EventPage(await told(request, events), next_cursor)

    return [read_events, read_stream]


def _version(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not _VERSION.fullmatch(cursor) or int(cursor) > MAX_VERSION:
        raise InvalidInput("it is the next_cursor of an earlier page", field="cursor")
    return int(cursor)
