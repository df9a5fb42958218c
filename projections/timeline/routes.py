"""``GET /v1/customers/{customer_id}/timeline``."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.clock import instant
from app.kernel.ids import check_id
from projections.as_of import PastModels
from projections.paging import DEFAULT_LIMIT
from projections.parameters import (
    AsOf,
    Cursor,
    EventKind,
    EventType,
    Limit,
    MinPosition,
    filter_text,
    past_of,
)
from projections.timeline.queries import TimelineFilter, TimelinePage, Timelines

From = Annotated[
    str | None,
    QueryParameter(
        name="from",
        description="Only what happened at this time or later, such as `2026-11-22T09:30:00Z`.",
    ),
]
To = Annotated[
    str | None, QueryParameter(name="to", description="Only what happened before this time.")
]


def timeline_routes(
    timelines: Timelines, past: PastModels, discloses: Discloses
) -> list[HTTPRouteHandler]:
    """The routes of the queries of a timeline."""

    @get(
        "/v1/customers/{customer_id:str}/timeline",
        opt=requires("timeline:read", own="customer_id"),
        tags=["Customers"],
        summary="Read a customer's timeline",
    )
    async def read_timeline(
        *,
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        event_type: EventType = None,
        kind: EventKind = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
        as_of: AsOf = None,
    ) -> TimelinePage:
        """What happened to a customer, newest first, by when it happened.

        What a visitor did is there too, once one of the customer's identities is its anonymous id.
        The timeline of an id that nothing was heard of is empty.
        """
        return await timelines.page(
            check_id(customer_id, field="customer_id"),
            only=TimelineFilter(
                type=filter_text(event_type, field="type"),
                kind=filter_text(kind, field="kind"),
                since=None if from_ is None else instant(from_, field="from"),
                until=None if to is None else instant(to, field="to"),
            ),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            as_of=await past_of(past, customer_id, as_of, min_position),
            view=discloses.to(principal_of(request.scope)),
        )

    return [read_timeline]
