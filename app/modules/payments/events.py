"""What happens to a payment."""

from typing import ClassVar

from app.kernel.event import Event


class PaymentRequested(Event, frozen=True):
    """The customer is asked for money; a provider is to collect it."""

    tag: ClassVar[str] = "payment.requested"
    title: ClassVar[str] = "Payment requested"

    customer_id: str
    amount: int
    """In minor units of the currency."""
    currency: str


class PaymentCaptured(Event, frozen=True):
    """The provider has the money."""

    tag: ClassVar[str] = "payment.captured"
    title: ClassVar[str] = "Paid"

    amount: int
    currency: str


class PaymentDeclined(Event, frozen=True):
    """The provider did not get the money."""

    tag: ClassVar[str] = "payment.declined"
    title: ClassVar[str] = "Payment declined ({reason})"

    reason: str


class PaymentCancelled(Event, frozen=True):
    """The money is not wanted any more; should it come all the same, it goes back."""

    tag: ClassVar[str] = "payment.cancelled"
    title: ClassVar[str] = "Payment cancelled"


class PaymentRefundRequested(Event, frozen=True):
    """Some of the money is to go back; a provider is to see to it."""

    tag: ClassVar[str] = "payment.refund_requested"
    title: ClassVar[str] = "Refund requested ({refund_id})"

    refund_id: str
    """Of the payment's refunds."""
    amount: int


class PaymentRefunded(Event, frozen=True):
    """The provider has sent it back."""

    tag: ClassVar[str] = "payment.refunded"
    title: ClassVar[str] = "Refunded ({refund_id})"

    refund_id: str
    amount: int
    currency: str


REGISTERED = (
    PaymentRequested,
    PaymentCaptured,
    PaymentDeclined,
    PaymentCancelled,
    PaymentRefundRequested,
    PaymentRefunded,
)
"""The module's event types, for the catalogue."""

CANCELLATION = "cancellation"
"""The refund of all that is left of a payment that was cancelled."""
