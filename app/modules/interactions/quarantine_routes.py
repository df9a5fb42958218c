"""The quarantine over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct
from msgspec.structs import replace

from app.http.access import principal_of, requires
from app.http.context import metadata_of
from app.kernel.cipher import Discloses
from app.kernel.cursors import Cursors
from app.kernel.errors import InvalidInput
from app.modules.interactions.quarantine import QuarantinedEvent, StoredQuarantine
from app.modules.interactions.replay import Replay, Replayed

MAX_PAGE_EVENTS = 100

_TAGS = ["Event catalogue"]
_ADMIN = requires("catalogue:admin")

Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_PAGE_EVENTS, description="How many events at the most.")
]
EventType = Annotated[
    str | None, QueryParameter(name="type", description="Only events of this type.")
]


class _Place(NamedTuple):
    number: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class QuarantinePage(Struct, frozen=True):
    """Some quarantined events, and where to go on."""

    items: Sequence[QuarantinedEvent]
    next_cursor: str | None
    """Null on the last page."""


class ReplayWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be replayed."""

    type: Annotated[
        str | None, Meta(description="Events of this type; null: all.", examples=["Order Placed"])
    ] = None
    cursor: Annotated[
        str | None,
        Meta(description="The `next_cursor` of the replay that this one goes on with."),
    ] = None


def quarantine_routes(
    quarantine: StoredQuarantine, replay: Replay, discloses: Discloses, cursors: Cursors
) -> list[HTTPRouteHandler]:
    """The routes of the quarantine."""

    @get("/v1/quarantine", opt=_ADMIN, tags=_TAGS, summary="List quarantined events")
    async def list_quarantine(
        *,
        request: Request[Any, Any, Any],
        event_type: EventType = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> QuarantinePage:
        """Events that did not fit the schema of their type, in the order of receipt."""
        query = ("quarantine", event_type or "")
        after = cursors.decode(cursor, _Place, *query).number if cursor is not None else 0
        events = await quarantine.page(event_type, after=after, limit=limit + 1)
        more = len(events) > limit
        view = discloses.to(principal_of(request.scope))
        data = await view([(event.customer_id, event.data) for event in events[:limit]])
        items = [replace(event, data=seen) for event, seen in zip(events, data, strict=False)]
        place = _Place(events[limit - 1].number) if more else None
        return QuarantinePage(items, place and cursors.encode(place, *query))

    @post(
        "/v1/quarantine/replay",
        opt=_ADMIN,
        tags=_TAGS,
        summary="Replay quarantined events",
        status_code=200,
    )
    async def replay_quarantine(
        request: Request[Any, Any, Any], data: JSONBody[ReplayWanted | None] = None
    ) -> Replayed:
        """Those that fit now are recorded, in the order of receipt; the others stay.

        Each is recorded under its own id, unless that was recorded meanwhile. At most 5,000 are
        looked at: go on with `next_cursor`. The body may be left out. A repeat is always safe.
        """
        wanted, after = data or ReplayWanted(), 0
        query = ("replay", wanted.type or "")
        if wanted.cursor is not None:
            after = cursors.decode(wanted.cursor, _Place, *query).number
        metadata = metadata_of(request.scope)
        replayed, came_to = await replay.run(wanted.type, after=after, metadata=metadata)
        if came_to is not None:
            replayed.next_cursor = cursors.encode(_Place(came_to), *query)
        return replayed

    @delete(
        "/v1/quarantine/{event_id:str}",
        opt=_ADMIN,
        tags=_TAGS,
        summary="Discard a quarantined event",
    )
    async def discard_quarantined(request: Request[Any, Any, Any], event_id: FromPath[str]) -> None:
        """It is gone for good; the log keeps who discarded it, and nothing of its data."""
        await replay.discard(_uuid(event_id), metadata_of(request.scope))

    return [list_quarantine, replay_quarantine, discard_quarantined]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("an event id is a UUID", field="event_id") from None
