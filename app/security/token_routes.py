"""``POST /v1/customers/{customer_id}/tokens``."""

from datetime import timedelta
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from app.http.access import principal_of, requires
from app.security.customer_tokens import MAX_LIFETIME_S, CustomerToken, CustomerTokens


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A token to be made."""

    expires_in_s: Annotated[
        int, Meta(ge=1, le=MAX_LIFETIME_S, description="After how many seconds it ends.")
    ] = MAX_LIFETIME_S


def customer_token_routes(tokens: CustomerTokens) -> list[HTTPRouteHandler]:
    """The route of customer tokens."""

    @post(
        "/v1/customers/{customer_id:str}/tokens",
        opt=requires("customers:write"),
        tags=["Customers"],
        summary="Make a customer's token",
    )
    async def create_customer_token(
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        data: JSONBody[TokenRequest | None] = None,
    ) -> Response[CustomerToken]:
        """For the customer's own app or page: it reads that customer's profile, timeline, visits
        and inbox, also live, marks messages as read and changes the own preferences; nothing else.

        It ends by itself, after 15 minutes at most, and cannot be revoked. It may do nothing that
        the key that asks for it may not: reading takes `customers:read`, `timeline:read` and
        `messages:read`, marking as read `messages:write`, and sensitive fields are masked without
        `pii:read`. The body may be left out.
        """
        lifetime = timedelta(seconds=(data or TokenRequest()).expires_in_s)
        made = tokens.make(customer_id, lifetime, principal_of(request.scope))
        return Response(made, headers={"Cache-Control": "no-store"})  # RFC 6749, section 5.1

    return [create_customer_token]
