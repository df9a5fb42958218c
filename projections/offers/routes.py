"""``GET /v1/drivers/{driver_id}/offers``."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.ids import check_id
from projections.offers.queries import OfferPage, Offers
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition


def offer_routes(offers: Offers, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The route of the query of a driver's offers."""

    @get(
        "/v1/drivers/{driver_id:str}/offers",
        opt=requires("rides:read"),
        tags=["Rides"],
        summary="Read a driver's open offers",
    )
    async def read_offers(
        *,
        request: Request[Any, Any, Any],
        driver_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> OfferPage:
        """The rides that the driver may claim, the last one offered first.

        An offer goes when somebody claims the ride, or the driver declines it, the rider cancels
        it, or its time is over. A driver that nothing was heard of has none.
        """
        return await offers.page(
            check_id(driver_id, field="driver_id"),
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            view=discloses.to(principal_of(request.scope)),
        )

    return [read_offers]
