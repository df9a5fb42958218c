"""``GET /v1/activity-counts``."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from app.http.access import requires
from app.http.parameters import calendar_day
from projections.activity_counts.queries import (
    ActivityCountFilter,
    ActivityCountPage,
    ActivityCounts,
)
from projections.paging import DEFAULT_LIMIT
from projections.parameters import (
    Cursor,
    EventKind,
    EventType,
    FromDay,
    Limit,
    MinPosition,
    ToDay,
    filter_text,
)


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
        from_: FromDay = None,
        to: ToDay = None,
        event_type: EventType = None,
        kind: EventKind = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> ActivityCountPage:
        """How many events there were of all customers and visitors together, by day.

        Days are those of UTC, by when the events happened. Listed by day, then by type and kind;
        what there was nothing of on a day is left out.
        """
        only = ActivityCountFilter(
            type=filter_text(event_type, field="type"),
            kind=filter_text(kind, field="kind"),
            since=None if from_ is None else calendar_day(from_, field="from"),
            until=None if to is None else calendar_day(to, field="to"),
        )
        return await counts.page(only, limit=limit, cursor=cursor, min_position=min_position)

    return [read_activity_counts]
