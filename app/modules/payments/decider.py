"""What may happen to a payment, whatever its provider says, how often and in which order.

Money that came is never forgotten: a confirmation counts after a decline and after a cancellation
too, and in the latter case the money goes back at once.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.payments.events import (
    CANCELLATION,
    PaymentCancelled,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundRequested,
    PaymentRequested,
)

MAX_REFUNDS = 100


class NoSuchPayment(NotFound, Refused):
    """There is no such payment."""


class NoSuchRefund(NotFound, Refused):
    """The payment has no such refund."""


class PaymentDiffers(Refused):
    """Another payment was requested under this id."""


class RefundDiffers(Refused):
    """Another refund was requested under this id."""


class RefundReserved(Refused):
    """The refund `cancellation` is made by cancelling the payment."""


class PaymentNotCaptured(Refused):
    """There is no money yet that could go back."""


class RefundTooLarge(Refused):
    """Less than that is left of the payment."""


class TooManyRefunds(Refused):
    """A payment has at most 100 refunds."""


class RequestPayment(Struct, frozen=True):
    """Ask a customer for money."""

    customer_id: str
    amount: int
    currency: str


class ConfirmPayment(Struct, frozen=True):
    """Note that the provider has the money."""


class DeclinePayment(Struct, frozen=True):
    """Note that the provider did not get it."""

    reason: str


class CancelPayment(Struct, frozen=True):
    """Want none of it: what has come and what still comes goes back."""


class RequestRefund(Struct, frozen=True):
    """Give some of it back, once."""

    refund_id: str
    amount: int


class ConfirmRefund(Struct, frozen=True):
    """Note that the provider has sent it back."""

    refund_id: str


PaymentCommand = (
    RequestPayment | ConfirmPayment | DeclinePayment | CancelPayment | RequestRefund | ConfirmRefund
)


class NotRequested(Struct, frozen=True):
    """There is no payment."""


class Requested(Struct, frozen=True):
    """The provider is at it."""

    payment: PaymentRequested


class Declined(Struct, frozen=True):
    """The provider did not get it; the customer may have tried again since."""

    payment: PaymentRequested


class Cancelled(Struct, frozen=True):
    """It is not wanted, and has not come."""

    payment: PaymentRequested


class Refund(Struct, frozen=True):
    """Some of the money, on its way back or there."""

    amount: int
    is_confirmed: bool = False


class Captured(Struct, frozen=True):
    """The money came."""

    payment: PaymentRequested
    refunds: Mapping[str, Refund] = {}

    @property
    def rest(self) -> int:
        """What is left of it, in minor units."""
        return self.payment.amount - sum(refund.amount for refund in self.refunds.values())


KnownPayment = Requested | Declined | Cancelled | Captured
Payment = NotRequested | KnownPayment


def decide_payment(command: PaymentCommand, payment: Payment) -> Sequence[Event]:
    """What follows from a command to a payment."""
    if isinstance(command, RequestPayment):
        return _request(command, payment)
    if isinstance(payment, NotRequested):
        raise NoSuchPayment
    match command:
        case ConfirmPayment():
            return _confirm(payment)
        case DeclinePayment():
            return (PaymentDeclined(command.reason),) if isinstance(payment, Requested) else ()
        case CancelPayment():
            return _cancel(payment)
        case RequestRefund():
            return _request_refund(command, payment)
        case ConfirmRefund():
            return _confirm_refund(command, payment)
        case _:
            assert_never(command)


def _request(command: RequestPayment, payment: Payment) -> Sequence[Event]:
    requested = PaymentRequested(command.customer_id, command.amount, command.currency)
    if isinstance(payment, NotRequested):
        return (requested,)
    if payment.payment != requested:
        raise PaymentDiffers
    return ()


def _confirm(payment: KnownPayment) -> Sequence[Event]:
    captured = PaymentCaptured(payment.payment.amount, payment.payment.currency)
    match payment:
        case Requested() | Declined():
            return (captured,)
        case Cancelled():
            return (captured, PaymentRefundRequested(CANCELLATION, captured.amount))
        case Captured():
            return ()
        case _:
            assert_never(payment)


def _cancel(payment: KnownPayment) -> Sequence[Event]:
    match payment:
        case Requested() | Declined():
            return (PaymentCancelled(),)
        case Cancelled():
            return ()
        case Captured():
            rest = payment.rest
            return (PaymentRefundRequested(CANCELLATION, rest),) if rest else ()
        case _:
            assert_never(payment)


def _request_refund(command: RequestRefund, payment: KnownPayment) -> Sequence[Event]:
    if command.refund_id == CANCELLATION:
        raise RefundReserved
    if not isinstance(payment, Captured):
        raise PaymentNotCaptured
    if known := payment.refunds.get(command.refund_id):
        if known.amount != command.amount:
            raise RefundDiffers
        return ()
    if command.amount > payment.rest:
        raise RefundTooLarge
    if len(payment.refunds) >= MAX_REFUNDS:
        raise TooManyRefunds
    return (PaymentRefundRequested(command.refund_id, command.amount),)


def _confirm_refund(command: ConfirmRefund, payment: KnownPayment) -> Sequence[Event]:
    refunds = payment.refunds if isinstance(payment, Captured) else {}
    refund = refunds.get(command.refund_id)
    if refund is None:
        raise NoSuchRefund
    if refund.is_confirmed:
        return ()
    return (PaymentRefunded(command.refund_id, refund.amount, payment.payment.currency),)


def evolve_payment(payment: Payment, event: Event) -> Payment:
    """The payment after an event."""
    match payment, event:
        case NotRequested(), PaymentRequested():
            return Requested(event)
        case Requested(of) | Declined(of) | Cancelled(of), PaymentCaptured():
            return Captured(of)
        case Requested(of), PaymentDeclined():
            return Declined(of)
        case Requested(of) | Declined(of), PaymentCancelled():
            return Cancelled(of)
        case Captured(), PaymentRefundRequested(refund_id, amount):
            return _with_refund(payment, refund_id, Refund(amount))
        case Captured(), PaymentRefunded(refund_id, amount):
            return _with_refund(payment, refund_id, Refund(amount, is_confirmed=True))
        case _:
            raise UnknownEvent(f"{event.tag} does not happen to a payment that is {payment!r}")


def _with_refund(payment: Captured, refund_id: str, refund: Refund) -> Captured:
    return replace(payment, refunds={**payment.refunds, refund_id: refund})


def _customer_of(payment: Payment) -> str | None:
    return None if isinstance(payment, NotRequested) else payment.payment.customer_id


PAYMENT: Decider[PaymentCommand, Payment] = Decider(
    category="payment",
    initial=NotRequested(),
    decide=decide_payment,
    evolve=evolve_payment,
    events=(
        PaymentRequested,
        PaymentCaptured,
        PaymentDeclined,
        PaymentCancelled,
        PaymentRefundRequested,
        PaymentRefunded,
    ),
    customer_of=_customer_of,
)
