"""Commands to offers over HTTP."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Nothing, Word
from app.kernel.clock import Clock, in_utc
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.modules.offers.decider import (
    OFFER,
    IssueOffer,
    RedeemOffer,
    WithdrawOffer,
)
from app.security.commands import Commands, command

MAX_OFFER_ID_CHARACTERS = 150

_OFFER = "/v1/offers/{offer_id:str}"
_TAGS = ["Offers"]

CustomerId = Annotated[str, Meta(description="Whose it is.", examples=["anna"])]


class NewOffer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer may have, and until when."""

    customer_id: CustomerId
    offer: Annotated[Word, Meta(description="What it is, in your words.", examples=["ten-percent"])]
    expires_at: Annotated[
        datetime,
        Meta(
            tz=True,
            description="From then on it cannot be redeemed.",
            examples=["2030-01-01T00:00:00Z"],
        ),
    ]


class Redemption(Struct, frozen=True, forbid_unknown_fields=True):
    """Who uses it."""

    customer_id: CustomerId
    code: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="The code, as the customer has it; case says nothing.",
            examples=["K7QX2MZP4A"],
        ),
    ]


def offer_routes(
    commands: Commands, clock: Clock, code: Callable[[str], str]
) -> list[HTTPRouteHandler]:
    """The routes of the commands to an offer. The clock tells the store's time; see `code_of`."""

    @command(f"{_OFFER}/issue", scope="offers:write", summary="Issue an offer", tags=_TAGS)
    async def issue_offer(
        request: Request[Any, Any, Any], offer_id: FromPath[str], data: JSONBody[NewOffer]
    ) -> ASGIApp:
        """The customer gets a code of its own. Under one id there is one offer.

        Its time must not be over.
        """
        check_customer_id(data.customer_id)
        if in_utc(data.expires_at, field="expires_at") <= clock():
            raise InvalidInput("it is over", field="expires_at")
        issue = IssueOffer(data.customer_id, data.offer, code(_checked(offer_id)), data.expires_at)
        return await commands.run(request, Step(OFFER, offer_id, issue, data.customer_id))

    @command(f"{_OFFER}/redeem", scope="offers:write", summary="Redeem an offer", tags=_TAGS)
    async def redeem_offer(
        request: Request[Any, Any, Any], offer_id: FromPath[str], data: JSONBody[Redemption]
    ) -> ASGIApp:
        """Once, by the customer whose it is, with its code, while it lasts.

        Send an `Idempotency-Key`: a retry is answered as the first request was.
        """
        check_customer_id(data.customer_id)
        redeem = RedeemOffer(data.customer_id, data.code.strip().upper(), clock())
        return await commands.run(request, Step(OFFER, _checked(offer_id), redeem))

    @command(f"{_OFFER}/withdraw", scope="offers:write", summary="Withdraw an offer", tags=_TAGS)
    async def withdraw_offer(
        request: Request[Any, Any, Any],
        offer_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """It cannot be redeemed any more. One that was redeemed, or has expired, stays so."""
        return await commands.run(request, Step(OFFER, _checked(offer_id), WithdrawOffer()))

    return [issue_offer, redeem_offer, withdraw_offer]


def _checked(offer_id: str) -> str:
    check_id(offer_id, field="offer_id")
    if len(offer_id) > MAX_OFFER_ID_CHARACTERS:
        raise InvalidInput(
            f"an offer's id has 1 to {MAX_OFFER_ID_CHARACTERS} characters", field="offer_id"
        )
    return offer_id
