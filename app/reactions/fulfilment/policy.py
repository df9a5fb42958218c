"""What joins orders, payments and inventory: each hears of the others by events alone.

The order 42 is paid by the payment ``order-42``; its stock is reserved under ``42``.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from app.kernel.money import in_words
from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.inventory.decider import INVENTORY, ReleaseStock, ReserveStock, ShipStock
from app.modules.inventory.events import ReservationDeclined, StockReserved
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.orders.decider import ORDER, CancelOrder, ConfirmOrder
from app.modules.orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderShipped,
)
from app.modules.payments.decider import PAYMENT, CancelPayment, RequestPayment, RequestRefund
from app.modules.payments.events import (
    CANCELLATION,
    PaymentCancelled,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundRequested,
)
from app.reactions.fulfilment.decider import (
    FULFILMENT,
    Begin,
    Expire,
    NoteCancelled,
    NotePaid,
    NoteShipped,
    NoteStock,
)
from app.reactions.fulfilment.events import (
    FulfilmentAbandoned,
    FulfilmentBegun,
    FulfilmentDispatched,
    FulfilmentFailed,
    FulfilmentPaid,
    FulfilmentSecured,
    Wanted,
)

TIME_TO_PAY = timedelta(minutes=15)
PAYMENT_DECLINED = "payment-declined"
PAYMENT_CANCELLED = "payment-cancelled"
MISSING_STOCK = "missing-stock"
"""The refund of what an order that allows a part does not get."""

_PAYMENT_PREFIX = "order-"


def payment_of(order_id: str) -> str:
    """The id of the order's payment."""
    return f"{_PAYMENT_PREFIX}{order_id}"


def timeout_of(order_id: str) -> str:
    """The key of the timer that ends the time to pay the order."""
    return f"payment-timeout:order-{order_id}"


def _paid_order(happened: Happened[Any]) -> str | None:
    """The order that a payment is for; None for any other payment."""
    order_id = happened.thing_id.removeprefix(_PAYMENT_PREFIX)
    return order_id if order_id != happened.thing_id else None


def _tell(happened: Happened[Any], kind: str, thing: str, text: str) -> Send[Any]:
    """A message that is requested once for the thing."""
    return Send(MESSAGE, f"{kind}:{thing}", RequestMessage(kind, text), happened.customer_id)


# What the modules tell.


def _placed(happened: Happened[OrderPlaced]) -> Iterable[Effect]:
    order = happened.event
    lines = tuple(Wanted(line.sku, line.quantity, line.unit_price) for line in order.lines)
    begin = Begin(order.customer_id, lines, order.currency, order.total, order.allow_partial)
    yield Send(FULFILMENT, happened.thing_id, begin)


def _confirmed(happened: Happened[OrderConfirmed]) -> Iterable[Effect]:
    order_id = happened.thing_id
    things = ", ".join(f"{line.quantity} of {line.sku}" for line in happened.event.lines)
    text = f"Your order {order_id} is confirmed: {things}."
    yield _tell(happened, "order-confirmed", order_id, text)


def _order_cancelled(happened: Happened[OrderCancelled]) -> Iterable[Effect]:
    order_id = happened.thing_id
    yield Send(FULFILMENT, order_id, NoteCancelled())
    text = f"Your order {order_id} was cancelled. What you have paid for it goes back to you."
    yield _tell(happened, "order-cancelled", order_id, text)


def _shipped(happened: Happened[OrderShipped]) -> Iterable[Effect]:
    order_id = happened.thing_id
    yield Send(FULFILMENT, order_id, NoteShipped())
    yield _tell(happened, "order-shipped", order_id, f"Your order {order_id} is on its way.")


def _captured(happened: Happened[PaymentCaptured]) -> Iterable[Effect]:
    if order_id := _paid_order(happened):
        paid = NotePaid(happened.event.amount, happened.event.currency)
        yield Send(FULFILMENT, order_id, paid)


def _declined(happened: Happened[PaymentDeclined]) -> Iterable[Effect]:
    if order_id := _paid_order(happened):
        yield Send(ORDER, order_id, CancelOrder(PAYMENT_DECLINED))


def _payment_cancelled(happened: Happened[Any]) -> Iterable[Effect]:
    """Nothing where the order was cancelled first; refused where it was shipped."""
    if order_id := _paid_order(happened):
        yield Send(ORDER, order_id, CancelOrder(PAYMENT_CANCELLED))


def _refund_requested(happened: Happened[PaymentRefundRequested]) -> Iterable[Effect]:
    return _payment_cancelled(happened) if happened.event.refund_id == CANCELLATION else ()


def _refunded(happened: Happened[PaymentRefunded]) -> Iterable[Effect]:
    if order_id := _paid_order(happened):
        refund = happened.event
        sum_of_money = in_words(refund.amount, refund.currency)
        text = f"{sum_of_money} of what you paid for your order {order_id} went back to you."
        yield _tell(happened, "order-refunded", f"{order_id}:{refund.refund_id}", text)


def _reserved(happened: Happened[StockReserved]) -> Iterable[Effect]:
    reserved = happened.event
    yield Send(FULFILMENT, reserved.order_id, NoteStock(happened.thing_id, reserved.quantity))


def _out_of_stock(happened: Happened[ReservationDeclined]) -> Iterable[Effect]:
    yield Send(FULFILMENT, happened.event.order_id, NoteStock(happened.thing_id, 0))


# What the process decides.


def _begun(happened: Happened[FulfilmentBegun]) -> Iterable[Effect]:
    order_id, order = happened.thing_id, happened.event
    request = RequestPayment(order.customer_id, order.total, order.currency)
    yield Send(PAYMENT, payment_of(order_id), request)
    expire = Send(FULFILMENT, order_id, Expire(), order.customer_id)
    yield SetTimer(timeout_of(order_id), happened.at + TIME_TO_PAY, expire)


def _paid(happened: Happened[FulfilmentPaid]) -> Iterable[Effect]:
    order_id, paid = happened.thing_id, happened.event
    yield CancelTimer(timeout_of(order_id))
    for sku, quantity in paid.quantities.items():
        reserve = ReserveStock(order_id, quantity, paid.allow_partial)
        yield Send(INVENTORY, sku, reserve)


def _secured(happened: Happened[FulfilmentSecured]) -> Iterable[Effect]:
    order_id, secured = happened.thing_id, happened.event
    yield Send(ORDER, order_id, ConfirmOrder(secured.quantities))
    if secured.refund:
        refund = RequestRefund(MISSING_STOCK, secured.refund)
        yield Send(PAYMENT, payment_of(order_id), refund)


def _failed(happened: Happened[FulfilmentFailed]) -> Iterable[Effect]:
    yield Send(ORDER, happened.thing_id, CancelOrder(happened.event.reason))


def _abandoned(happened: Happened[FulfilmentAbandoned]) -> Iterable[Effect]:
    order_id = happened.thing_id
    yield CancelTimer(timeout_of(order_id))
    yield Send(PAYMENT, payment_of(order_id), CancelPayment())
    for sku in happened.event.skus:
        yield Send(INVENTORY, sku, ReleaseStock(order_id))


def _dispatched(happened: Happened[FulfilmentDispatched]) -> Iterable[Effect]:
    for sku in happened.event.skus:
        yield Send(INVENTORY, sku, ShipStock(happened.thing_id))


FULFILMENT_POLICY = Policy(
    "fulfilment",
    {
        OrderPlaced: _placed,
        OrderConfirmed: _confirmed,
        OrderCancelled: _order_cancelled,
        OrderShipped: _shipped,
        PaymentCaptured: _captured,
        PaymentDeclined: _declined,
        PaymentCancelled: _payment_cancelled,
        PaymentRefundRequested: _refund_requested,
        PaymentRefunded: _refunded,
        StockReserved: _reserved,
        ReservationDeclined: _out_of_stock,
        FulfilmentBegun: _begun,
        FulfilmentPaid: _paid,
        FulfilmentSecured: _secured,
        FulfilmentFailed: _failed,
        FulfilmentAbandoned: _abandoned,
        FulfilmentDispatched: _dispatched,
    },
)
