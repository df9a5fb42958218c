"""``GET /v1/cases``."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from app.http.access import requires
from projections.cases.queries import CasePage, Cases
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition


def case_routes(cases: Cases) -> list[HTTPRouteHandler]:
    """The route of the query of open cases."""

    @get("/v1/cases", opt=requires("accounts:read"), tags=["Accounts"], summary="List open cases")
    async def list_open_cases(
        limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, min_position: MinPosition = None
    ) -> CasePage:
        """The transactions that are held without an answer, those that have waited longest first.

        A case goes when an analyst resolves it, or when its customer is erased.
        """
        return await cases.page(limit=limit, cursor=cursor, min_position=min_position)

    return [list_open_cases]
