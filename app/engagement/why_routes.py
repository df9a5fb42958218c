"""``GET /v1/events/{event_id}/why`` and ``GET /v1/rules/{name}/why-not``."""

from asyncio import Semaphore
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.engagement.why import Explaining, Why, WhyNot
from app.http.access import principal_of, requires
from app.http.load import Overloaded
from app.kernel.cipher import Discloses
from app.kernel.clock import instant
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_id

MAX_AT_A_TIME = 4
"""Pasts that a process plays again, which has other work."""
MAX_WAITING = 32
"""More are refused."""

Customer = Annotated[str, QueryParameter(name="customer_id", description="For whom it did not.")]
At = Annotated[
    str | None,
    QueryParameter(name="at", description="As of this time, such as `2026-11-22T09:30:00Z`."),
]


def why_routes(explaining: Explaining, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The routes that explain."""
    playing, admitted = Semaphore(MAX_AT_A_TIME), Semaphore(MAX_AT_A_TIME + MAX_WAITING)

    @get(
        "/v1/events/{event_id:str}/why",
        opt=requires("events:read"),
        tags=["Events"],
        summary="Tell how it came to an event",
    )
    async def tell_why(request: Request[Any, Any, Any], event_id: FromPath[str]) -> Why:
        """The event, what it followed from, and so on, back to the first command.

        A decision among them says by which rule, with what it has seen, and why.
        """
        view = discloses.to(principal_of(request.scope))
        return await explaining.why(_event_id(event_id), view)

    @get(
        "/v1/rules/{name:str}/why-not",
        opt=requires("rules:read"),
        tags=["Rules"],
        summary="Tell why a rule did nothing for a customer",
    )
    async def tell_why_not(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        customer: Customer,
        at: At = None,
    ) -> WhyNot:
        """The customer's past, evaluated anew by the rules as they were.

        It tells whether the rule was live, whether a trigger came, what its condition has seen,
        what a pattern still misses and until when, and by what it was held back.
        """
        customer_id = check_id(customer, field="customer_id")
        moment = None if at is None else instant(at, field="at")
        view = discloses.to(principal_of(request.scope))
        if admitted.locked():
            raise Overloaded(f"{MAX_WAITING} customers' pasts wait to be evaluated")
        async with admitted, playing:
            return await explaining.why_not(name, customer_id, view, moment)

    return [tell_why, tell_why_not]


def _event_id(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidInput("it is no UUID", field="event_id") from None
