"""``GET /v1/reaction-times``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from app.http.access import requires
from app.http.parameters import days_between
from projections.parameters import FromDay, MinPosition, ToDay, filter_text
from projections.reaction_times.queries import (
    ReactionTimes,
    ReactionTimesFilter,
    ReactionTimesQuery,
)

OfRule = Annotated[str | None, QueryParameter(name="rule", description="Only this rule.")]


def reaction_time_routes(times: ReactionTimesQuery) -> list[HTTPRouteHandler]:
    """The route of the query of reaction times."""

    @get(
        "/v1/reaction-times",
        opt=requires("rules:read"),
        tags=["Rules"],
        summary="Measure how soon rules decide and messages are sent",
    )
    async def read_reaction_times(
        *,
        of_rule: OfRule = None,
        from_: FromDay = None,
        to: ToDay = None,
        min_position: MinPosition = None,
    ) -> ReactionTimes:
        """Percentiles of what was decided on these days, which are those of UTC."""
        only = ReactionTimesFilter(filter_text(of_rule, field="rule"), *days_between(from_, to))
        return await times.read(only, min_position=min_position)

    return [read_reaction_times]
