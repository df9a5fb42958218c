"""Payments over HTTP: for whoever wants money, and for the provider's callbacks."""

from typing import Annotated, Any, Literal, assert_never

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Currency, Nothing, Word
from app.kernel.ids import check_customer_id, check_id
from app.modules.payments.decider import (
    PAYMENT,
    Cancelled,
    CancelPayment,
    Captured,
    ConfirmPayment,
    ConfirmRefund,
    Declined,
    DeclinePayment,
    KnownPayment,
    NoSuchPayment,
    NotRequested,
    Payment,
    PaymentCommand,
    Requested,
    RequestPayment,
    RequestRefund,
)
from app.security.commands import Commands, command

MAX_AMOUNT = 10**15
"""Far from where JSON's numbers lose their last digits."""

_PATH = "/v1/payments/{payment_id:str}"
_TAGS = ["Payments"]

Amount = Annotated[
    int, Meta(ge=1, le=MAX_AMOUNT, description="In minor units of the currency.", examples=[2500])
]
RefundId = Annotated[
    Word, Meta(description="Of the payment's refunds.", examples=["damaged-on-the-way"])
]
Status = Literal["requested", "declined", "cancelled", "captured"]


class PaymentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to pay how much."""

    customer_id: Annotated[str, Meta(examples=["anna"])]
    amount: Amount
    currency: Currency


class Declining(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the provider did not get the money."""

    reason: Annotated[
        Word,
        Meta(description="In a word; it stands on the timeline.", examples=["insufficient-funds"]),
    ]


class RefundRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is to go back."""

    refund_id: RefundId
    amount: Annotated[
        int,
        Meta(
            ge=1, le=MAX_AMOUNT, description="In minor units; no more than is left of the payment."
        ),
    ]


class RefundSent(Struct, frozen=True, forbid_unknown_fields=True):
    """Which refund it was."""

    refund_id: RefundId


class RefundNow(Struct, frozen=True):
    """A refund as it is now."""

    refund_id: Annotated[str, Meta(examples=["cancellation"])]
    amount: Annotated[int, Meta(examples=[2500])]
    is_confirmed: Annotated[bool, Meta(examples=[True])]
    """Whether the provider has sent it."""


class PaymentNow(Struct, frozen=True):
    """A payment as it is now."""

    payment_id: Annotated[str, Meta(examples=["order-42"])]
    customer_id: Annotated[str, Meta(examples=["anna"])]
    status: Status
    amount: Annotated[int, Meta(examples=[2500])]
    currency: Annotated[str, Meta(examples=["EUR"])]
    refunds: tuple[RefundNow, ...]
    rest: Annotated[int, Meta(examples=[0])]
    """What came and does not go back, in minor units."""


def payment_routes(commands: Commands) -> list[HTTPRouteHandler]:
    """The routes of payments."""
    return [
        *_request_routes(commands),
        *_callback_routes(commands),
        *_refund_routes(commands),
        _query_route(commands),
    ]


def _request_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/request", scope="payments:write", summary="Request a payment", tags=_TAGS)
    async def request_payment(
        request: Request[Any, Any, Any], payment_id: FromPath[str], data: JSONBody[PaymentRequest]
    ) -> ASGIApp:
        """Nothing when it was requested so before. Orders request theirs themselves."""
        check_customer_id(data.customer_id)
        asked = RequestPayment(data.customer_id, data.amount, data.currency)
        return await commands.run(request, _step(payment_id, asked, data.customer_id))

    @command(f"{_PATH}/cancel", scope="payments:write", summary="Cancel a payment", tags=_TAGS)
    async def cancel_payment(
        request: Request[Any, Any, Any],
        payment_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - the body is checked: it is empty
    ) -> ASGIApp:
        """What has come, and what may still come, goes back, as the refund `cancellation`."""
        return await commands.run(request, _step(payment_id, CancelPayment()))

    return [request_payment, cancel_payment]


def _callback_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/confirm", scope="payments:write", summary="Confirm a payment", tags=_TAGS)
    async def confirm_payment(
        request: Request[Any, Any, Any],
        payment_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - the body is checked: it is empty
    ) -> ASGIApp:
        """The provider has the money. It counts whenever it comes: after a decline, the customer
        tried again; after a cancellation, the money goes back at once.
        """
        return await commands.run(request, _step(payment_id, ConfirmPayment()))

    @command(f"{_PATH}/decline", scope="payments:write", summary="Decline a payment", tags=_TAGS)
    async def decline_payment(
        request: Request[Any, Any, Any], payment_id: FromPath[str], data: JSONBody[Declining]
    ) -> ASGIApp:
        """The provider did not get the money. Nothing once it was confirmed or cancelled."""
        return await commands.run(request, _step(payment_id, DeclinePayment(data.reason)))

    return [confirm_payment, decline_payment]


def _refund_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/refund", scope="payments:write", summary="Request a refund", tags=_TAGS)
    async def request_refund(
        request: Request[Any, Any, Any], payment_id: FromPath[str], data: JSONBody[RefundRequest]
    ) -> ASGIApp:
        """Once under each `refund_id`, and never more than is left of the payment."""
        asked = RequestRefund(data.refund_id, data.amount)
        return await commands.run(request, _step(payment_id, asked))

    @command(
        f"{_PATH}/confirm-refund", scope="payments:write", summary="Confirm a refund", tags=_TAGS
    )
    async def confirm_refund(
        request: Request[Any, Any, Any], payment_id: FromPath[str], data: JSONBody[RefundSent]
    ) -> ASGIApp:
        """The provider has sent it back."""
        return await commands.run(request, _step(payment_id, ConfirmRefund(data.refund_id)))

    return [request_refund, confirm_refund]


def _query_route(commands: Commands) -> HTTPRouteHandler:
    @get(_PATH, opt=requires("payments:read"), tags=_TAGS, summary="Read a payment")
    async def read_payment(payment_id: FromPath[str]) -> Response[PaymentNow]:
        """As the log has it at the moment. The `ETag` is what `If-Match` expects."""
        check_id(payment_id, field="payment_id")
        folded = await commands.read(PAYMENT, payment_id)
        return Response(_shown(payment_id, folded.state), headers={"ETag": etag(folded.version)})

    return read_payment


def _step(
    payment_id: str, command: PaymentCommand, customer_id: str | None = None
) -> Step[PaymentCommand]:
    check_id(payment_id, field="payment_id")
    return Step(PAYMENT, payment_id, command, customer_id)


def _shown(payment_id: str, payment: Payment) -> PaymentNow:
    if isinstance(payment, NotRequested):
        raise NoSuchPayment
    of = payment.payment
    refunds = payment.refunds if isinstance(payment, Captured) else {}
    return PaymentNow(
        payment_id,
        of.customer_id,
        _status_of(payment),
        of.amount,
        of.currency,
        tuple(RefundNow(name, each.amount, each.is_confirmed) for name, each in refunds.items()),
        payment.rest if isinstance(payment, Captured) else 0,
    )


def _status_of(payment: KnownPayment) -> Status:
    match payment:
        case Requested():
            return "requested"
        case Declined():
            return "declined"
        case Cancelled():
            return "cancelled"
        case Captured():
            return "captured"
        case _:
            assert_never(payment)
