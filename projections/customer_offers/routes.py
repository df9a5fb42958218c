"""``GET /v1/customers/{customer_id}/offers``."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.ids import check_id
from projections.customer_offers.queries import CustomerOfferPage, CustomerOffers
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition


def customer_offer_routes(offers: CustomerOffers, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The route of the query of a customer's offers."""

    @get(
        "/v1/customers/{customer_id:str}/offers",
        opt=requires("offers:read"),
        tags=["Offers"],
        summary="Read a customer's offers",
    )
    async def read_customer_offers(
        *,
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> CustomerOfferPage:
        """The offers to a customer, newest first, and what became of them.

        Codes are masked for whoever lacks `pii:read`. An erased customer has no offers.
        """
        return await offers.page(
            check_id(customer_id, field="customer_id"),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            view=discloses.to(principal_of(request.scope)),
        )

    return [read_customer_offers]
