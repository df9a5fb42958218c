"""``POST /v1/customers/{customer_id}/erase``."""

from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.http.access import requires
from app.http.context import metadata_of
from app.modules.customers.erasure import Erasures
from app.modules.customers.receipts import Receipt


def erasure_routes(erasures: Erasures) -> list[HTTPRouteHandler]:
    """The route of the erasure."""

    @post(
        "/v1/customers/{customer_id:str}/erase",
        opt=requires("erasure:write"),
        tags=["Customers"],
        summary="Erase a customer",
        status_code=200,
    )
    async def erase_customer(
        request: Request[Any, Any, Any], customer_id: FromPath[str]
    ) -> Receipt:
        """For ever: the data key, the identities, and the visitors that the customer turned out
        to be.

        What happened stays on the timeline, without whose data. Events and commands for the id are
        refused from now on. There is no body; a repeat gets the same receipt.
        """
        return await erasures.erase(customer_id, metadata_of(request.scope))

    return [erase_customer]
