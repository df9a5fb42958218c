"""``GET /v1/customers/{customer_id}/timeline``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.http.access import requires
from app.http.parameters import instant
from app.kernel.ids import check_id
from projections.as_of import PastModels
from projections.paging import DEFAULT_LIMIT
from projections.parameters import AsOf, Cursor, Limit, MinPosition, check_length, past_of
from projections.timeline.queries import TimelineFilter, TimelinePage, Timelines

MAX_FILTER_CHARACTERS = 200

Type = Annotated[str | None, QueryParameter(name="type", description="Only events of this type.")]
Kind = Annotated[
    str | None,
    QueryParameter(description="Only what is about this: `activity`, `customer`, …"),
]
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


def timeline_routes(timelines: Timelines, past: PastModels) -> list[HTTPRouteHandler]:
    """The routes of the queries of a timeline."""

    @get(
        "/v1/customers/{customer_id:str}/timeline",
        opt=requires("timeline:read", own="customer_id"),
        tags=["Customers"],
        summary="Read a customer's timeline",
    )
    async def read_timeline(
        *,
        customer_id: FromPath[str],
        event_type: Type = None,
        kind: Kind = None,
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
                type=_text(event_type, field="type"),
                kind=_text(kind, field="kind"),
                since=None if from_ is None else instant(from_, field="from"),
                until=None if to is None else instant(to, field="to"),
            ),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            as_of=await past_of(past, customer_id, as_of, min_position),
        )

    return [read_timeline]


def _text(value: str | None, *, field: str) -> str | None:
    if value is None:
        return None
    return check_length(value, max_characters=MAX_FILTER_CHARACTERS, field=field)
