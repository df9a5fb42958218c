"""What may happen to an order.

The order is the authority on its end: whoever wants it cancelled, be it the customer or a process,
asks it, and it says no once it was shipped.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.orders.events import (
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderPlaced,
    OrderShipped,
)


class NoSuchOrder(NotFound, Refused):
    """There is no such order."""


class OrderDiffers(Refused):
    """Another order was placed under this id."""


class SkuRepeated(Refused):
    """Two lines of the order are for the same thing."""


class NothingToPay(Refused):
    """An order costs something."""


class OrderNotConfirmed(Refused):
    """The order is not confirmed yet."""


class OrderNotShipped(Refused):
    """The order was not shipped yet."""


class OrderAlreadyShipped(Refused):
    """The order was shipped already."""


class OrderIsCancelled(Refused):
    """The order was cancelled."""


class PlaceOrder(Struct, frozen=True):
    """Order something, for a customer."""

    customer_id: str
    lines: tuple[Line, ...]
    currency: str
    allow_partial: bool = False


class ConfirmOrder(Struct, frozen=True):
    """Say that it will be shipped: so many of each thing, all paid for and kept in stock."""

    quantities: Mapping[str, int]
    """By the thing; none of those that are missing."""


class CancelOrder(Struct, frozen=True):
    """End it, before it was shipped."""

    reason: str


class ShipOrder(Struct, frozen=True):
    """Note that it left the warehouse."""


class DeliverOrder(Struct, frozen=True):
    """Note that the customer has it."""


OrderCommand = PlaceOrder | ConfirmOrder | CancelOrder | ShipOrder | DeliverOrder


class NotPlaced(Struct, frozen=True):
    """There is no order."""


class Placed(Struct, frozen=True):
    """It waits for payment and stock."""

    order: OrderPlaced


class Confirmed(Struct, frozen=True):
    """It waits to be shipped."""

    order: OrderPlaced
    confirmed: OrderConfirmed


class Shipped(Struct, frozen=True):
    """It is on its way."""

    order: OrderPlaced
    confirmed: OrderConfirmed


class Delivered(Struct, frozen=True):
    """It is with the customer."""

    order: OrderPlaced
    confirmed: OrderConfirmed


class Cancelled(Struct, frozen=True):
    """It came to nothing."""

    order: OrderPlaced
    reason: str


PlacedOrder = Placed | Confirmed | Shipped | Delivered | Cancelled
Order = NotPlaced | PlacedOrder


def total_of(lines: Sequence[Line]) -> int:
    """What the lines cost, in minor units."""
    return sum(line.quantity * line.unit_price for line in lines)


def decide_order(command: OrderCommand, order: Order) -> Sequence[Event]:
    """What follows from a command to an order."""
    if isinstance(command, PlaceOrder):
        return _place(command, order)
    if isinstance(order, NotPlaced):
        raise NoSuchOrder
    match command:
        case ConfirmOrder():
            return _confirm(command, order)
        case CancelOrder():
            return _cancel(command, order)
        case ShipOrder():
            return _ship(order)
        case DeliverOrder():
            return _deliver(order)
        case _:
            assert_never(command)


def _place(command: PlaceOrder, order: Order) -> Sequence[Event]:
    if len({line.sku for line in command.lines}) < len(command.lines):
        raise SkuRepeated
    total = total_of(command.lines)
    if total <= 0:
        raise NothingToPay
    placed = OrderPlaced(
        command.customer_id, command.lines, command.currency, total, command.allow_partial
    )
    if isinstance(order, NotPlaced):
        return (placed,)
    if order.order != placed:
        raise OrderDiffers
    return ()


def _confirm(command: ConfirmOrder, order: PlacedOrder) -> Sequence[Event]:
    """Nothing where it was cancelled meanwhile: whoever keeps stock and money hears of that."""
    if not isinstance(order, Placed):
        return ()
    lines = tuple(
        Line(line.sku, quantity, line.unit_price)
        for line in order.order.lines
        if (quantity := command.quantities.get(line.sku, 0))
    )
    return (OrderConfirmed(lines, total_of(lines)),)


def _cancel(command: CancelOrder, order: PlacedOrder) -> Sequence[Event]:
    match order:
        case Placed() | Confirmed():
            return (OrderCancelled(command.reason),)
        case Shipped() | Delivered():
            raise OrderAlreadyShipped
        case Cancelled():
            return ()
        case _:
            assert_never(order)


def _ship(order: PlacedOrder) -> Sequence[Event]:
    match order:
        case Placed():
            raise OrderNotConfirmed
        case Confirmed():
            return (OrderShipped(),)
        case Shipped() | Delivered():
            return ()
        case Cancelled():
            raise OrderIsCancelled
        case _:
            assert_never(order)


def _deliver(order: PlacedOrder) -> Sequence[Event]:
    match order:
        case Placed() | Confirmed():
            raise OrderNotShipped
        case Shipped():
            return (OrderDelivered(),)
        case Delivered():
            return ()
        case Cancelled():
            raise OrderIsCancelled
        case _:
            assert_never(order)


def evolve_order(order: Order, event: Event) -> Order:
    """The order after an event."""
    match order, event:
        case NotPlaced(), OrderPlaced():
            return Placed(event)
        case Placed(placed), OrderConfirmed():
            return Confirmed(placed, event)
        case Placed(placed) | Confirmed(placed), OrderCancelled(reason):
            return Cancelled(placed, reason)
        case Confirmed(placed, confirmed), OrderShipped():
            return Shipped(placed, confirmed)
        case Shipped(placed, confirmed), OrderDelivered():
            return Delivered(placed, confirmed)
        case _:
            raise UnknownEvent(f"{event.tag} does not happen to an order that is {order!r}")


def _customer_of(order: Order) -> str | None:
    return None if isinstance(order, NotPlaced) else order.order.customer_id


ORDER: Decider[OrderCommand, Order] = Decider(
    category="order",
    initial=NotPlaced(),
    decide=decide_order,
    evolve=evolve_order,
    events=(OrderPlaced, OrderConfirmed, OrderCancelled, OrderShipped, OrderDelivered),
    customer_of=_customer_of,
)
