"""``GET /v1/customers/{customer_id}/diff``."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.ids import check_id
from projections.diff.queries import Diff, Diffs
from projections.parameters import moment

From = Annotated[
    str,
    QueryParameter(
        name="from",
        description="A position of the log, or a time such as `2026-11-22T09:30:00Z`, which means "
        "what was recorded by then.",
    ),
]
To = Annotated[str, QueryParameter(name="to", description="The same; not earlier than `from`.")]


def diff_routes(diffs: Diffs, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The route of the query."""

    @get(
        "/v1/customers/{customer_id:str}/diff",
        opt=requires("timeline:read"),
        tags=["Customers"],
        summary="Compare a customer",
    )
    async def compare_customer(
        *, request: Request[Any, Any, Any], customer_id: FromPath[str], from_: From, to: To
    ) -> Diff:
        """What changed of a customer between two moments, and what was recorded meanwhile.

        A change has no `before` where there was nothing, and no `after` where there is nothing any
        more. Of a customer that was not known at `from`, everything is new.
        """
        return await diffs.between(
            check_id(customer_id, field="customer_id"),
            moment(from_, field="from"),
            moment(to, field="to"),
            view=discloses.to(principal_of(request.scope)),
        )

    return [compare_customer]
