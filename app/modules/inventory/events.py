"""What happens to the stock of one thing, named by its stock-keeping unit (SKU)."""

from typing import ClassVar

from app.kernel.event import Event


class StockReceived(Event, frozen=True):
    """Units came in."""

    tag: ClassVar[str] = "inventory.received"
    title: ClassVar[str] = "Received {quantity}"

    quantity: int


class StockReserved(Event, frozen=True):
    """Units are kept for an order, and for nobody else."""

    tag: ClassVar[str] = "inventory.reserved"
    title: ClassVar[str] = "Reserved {quantity} for order {order_id}"

    order_id: str
    quantity: int
    wanted: int
    """As many as were asked for; more than are kept where a part was welcome."""


class ReservationDeclined(Event, frozen=True):
    """There are not enough units for an order."""

    tag: ClassVar[str] = "inventory.declined"
    title: ClassVar[str] = "Out of stock for order {order_id}"

    order_id: str
    wanted: int
    available: int


class StockReleased(Event, frozen=True):
    """What was kept for an order is free again."""

    tag: ClassVar[str] = "inventory.released"
    title: ClassVar[str] = "Released {quantity} of order {order_id}"

    order_id: str
    quantity: int


class StockShipped(Event, frozen=True):
    """What was kept for an order left the warehouse."""

    tag: ClassVar[str] = "inventory.shipped"
    title: ClassVar[str] = "Shipped {quantity} for order {order_id}"

    order_id: str
    quantity: int


REGISTERED = (StockReceived, StockReserved, ReservationDeclined, StockReleased, StockShipped)
"""The module's event types, for the catalogue."""
