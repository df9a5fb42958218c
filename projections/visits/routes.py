"""``GET /v1/customers/{customer_id}/visits``."""

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.http.access import requires
from app.kernel.ids import check_id
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition
from projections.visits.queries import VisitPage, Visits


def visit_routes(visits: Visits) -> list[HTTPRouteHandler]:
    """The route of the query of a customer's visits."""

    @get(
        "/v1/customers/{customer_id:str}/visits",
        opt=requires("timeline:read"),
        tags=["Customers"],
        summary="Read a customer's visits",
    )
    async def read_visits(
        *,
        customer_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> VisitPage:
        """What services sent of a customer, cut by more than 30 minutes of silence; newest first.

        By when things happened, so an event that comes late may extend a visit or join two. Those
        of linked visitors are not among them; they are read by the visitor's own id, `~…`. An id
        that nothing was heard of has none.
        """
        return await visits.page(
            check_id(customer_id, field="customer_id"),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
        )

    return [read_visits]
