"""``GET /v1/customers/{customer_id}/decisions``."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.engagement.events import Outcome
from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.ids import check_id
from projections.decisions.queries import DecisionFilter, DecisionPage, Decisions
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition, filter_text

OfRule = Annotated[str | None, QueryParameter(name="rule", description="Only those of this rule.")]
WithOutcome = Annotated[
    Outcome | None, QueryParameter(name="outcome", description="Only those that came to this.")
]


def decision_routes(decisions: Decisions, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The route of the query of decisions on a customer."""

    @get(
        "/v1/customers/{customer_id:str}/decisions",
        opt=requires("timeline:read"),
        tags=["Customers"],
        summary="Read what rules decided on a customer",
    )
    async def read_decisions(
        *,
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        of_rule: OfRule = None,
        with_outcome: WithOutcome = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> DecisionPage:
        """What was done and what was held back, with the reasons and what was seen; newest first.

        Those on linked visitors are read by the visitor's own id, `~…`.
        """
        only = DecisionFilter(
            filter_text(of_rule, field="rule"), with_outcome.value if with_outcome else None
        )
        return await decisions.page(
            check_id(customer_id, field="customer_id"),
            only,
            view=discloses.to(principal_of(request.scope)),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
        )

    return [read_decisions]
