"""What happens to an order."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from app.kernel.event import Event


class Line(Struct, frozen=True):
    """So many of one thing."""

    sku: Annotated[str, Meta(examples=["A-7"])]
    quantity: Annotated[int, Meta(examples=[2])]
    unit_price: Annotated[int, Meta(examples=[1250])]
    """In minor units of the order's currency."""


class OrderPlaced(Event, frozen=True):
    """The customer ordered. Nothing is promised yet."""

    tag: ClassVar[str] = "order.placed"
    title: ClassVar[str] = "Placed an order"

    customer_id: str
    lines: tuple[Line, ...]
    currency: str
    total: int
    """In minor units."""
    allow_partial: bool
    """Whether what is there is wanted when not all is."""


class OrderConfirmed(Event, frozen=True):
    """It is paid, and the stock for it is kept: it will be shipped."""

    tag: ClassVar[str] = "order.confirmed"
    title: ClassVar[str] = "Order confirmed"

    lines: tuple[Line, ...]
    """What will be shipped; less than was ordered where the order allows it."""
    total: int
    """Of these lines, in minor units."""


class OrderCancelled(Event, frozen=True):
    """Nothing comes of it. What was paid goes back, what was kept is free again."""

    tag: ClassVar[str] = "order.cancelled"
    title: ClassVar[str] = "Order cancelled ({reason})"

    reason: str


class OrderShipped(Event, frozen=True):
    """It left the warehouse."""

    tag: ClassVar[str] = "order.shipped"
    title: ClassVar[str] = "Order shipped"


class OrderDelivered(Event, frozen=True):
    """The customer has it."""

    tag: ClassVar[str] = "order.delivered"
    title: ClassVar[str] = "Order delivered"


REGISTERED = (OrderPlaced, OrderConfirmed, OrderCancelled, OrderShipped, OrderDelivered)
"""The module's event types, for the catalogue."""
