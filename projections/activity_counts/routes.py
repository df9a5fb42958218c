"""``GET /v1/activity-counts``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from app.http.access import requires
from app.http.parameters import calendar_day
from projections.activity_counts.queries import (
    ActivityCountFilter,
    ActivityCountPage,
    ActivityCounts,
)
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition, check_length

MAX_FILTER_CHARACTERS = 200

From = Annotated[
    str | None,
    QueryParameter(name="from", description="From this day on, such as `2026-11-22`, in UTC."),
]
To = Annotated[
    str | None, QueryParameter(name="to", description="Up to this day, which is left out.")
]
Type = Annotated[str | None, QueryParameter(name="type", description="Only events of this type.")]
Kind = Annotated[
    str | None,
    QueryParameter(description="Only what is about this: `activity`, `customer`, …"),
]


def activity_count_routes(counts: ActivityCounts) -> list[HTTPRouteHandler]:
    """The route of the query of activity counts."""

    @get(
        "/v1/activity-counts",
        opt=requires("timeline:read"),
        tags=["Events"],
        summary="Count events by day, type and kind",
    )
    async def read_activity_counts(
        *,
        from_: From = None,
        to: To = None,
        event_type: Type = None,
        kind: Kind = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> ActivityCountPage:
        """How many events there were of all customers and visitors together, by day.

        Days are those of UTC, by when the events happened. Listed by day, then by type and kind;
        what there was nothing of on a day is left out.
        """
        only = ActivityCountFilter(
            type=_text(event_type, field="type"),
            kind=_text(kind, field="kind"),
            since=None if from_ is None else calendar_day(from_, field="from"),
            until=None if to is None else calendar_day(to, field="to"),
        )
        return await counts.page(only, limit=limit, cursor=cursor, min_position=min_position)

    return [read_activity_counts]


def _text(value: str | None, *, field: str) -> str | None:
    if value is None:
        return None
    return check_length(value, max_characters=MAX_FILTER_CHARACTERS, field=field)
