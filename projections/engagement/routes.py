"""``GET /v1/engagement``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from app.http.access import requires
from app.http.parameters import days_between
from projections.engagement.queries import EngagementFilter, EngagementPage, Engagements
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, FromDay, Limit, MinPosition, ToDay, filter_text

OfRule = Annotated[str | None, QueryParameter(name="rule", description="Only this rule.")]


def engagement_routes(engagements: Engagements) -> list[HTTPRouteHandler]:
    """The route of the query of engagement."""

    @get(
        "/v1/engagement",
        opt=requires("rules:read"),
        tags=["Rules"],
        summary="Measure rules: entered, acted, held back, delivered, goals",
    )
    async def read_engagement(
        *,
        of_rule: OfRule = None,
        from_: FromDay = None,
        to: ToDay = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> EngagementPage:
        """What became of each version of each rule, by rule and version.

        Days are those of UTC on which it was decided; a message counts on its decision's day,
        whenever it is opened, a goal on the day on which it is reached.
        """
        only = EngagementFilter(filter_text(of_rule, field="rule"), *days_between(from_, to))
        return await engagements.page(only, limit=limit, cursor=cursor, min_position=min_position)

    return [read_engagement]
