"""What happens while an order is fulfilled, or given up."""

from typing import ClassVar

from msgspec import Struct

from app.kernel.event import Event


class Wanted(Struct, frozen=True):
    """So many of one thing."""

    sku: str
    quantity: int
    unit_price: int
    """In minor units."""


class FulfilmentBegun(Event, frozen=True):
    """An order was placed: it is to be paid first."""

    tag: ClassVar[str] = "fulfilment.begun"
    title: ClassVar[str] = "Began to fulfil the order"

    customer_id: str
    lines: tuple[Wanted, ...]
    currency: str
    total: int
    allow_partial: bool


class FulfilmentPaid(Event, frozen=True):
    """It was paid in time: the stock is to be reserved."""

    tag: ClassVar[str] = "fulfilment.paid"
    title: ClassVar[str] = "The order is paid"

    quantities: dict[str, int]
    """What is to be reserved, by thing."""
    allow_partial: bool


class StockAnswered(Event, frozen=True):
    """So much of a thing is kept for the order; perhaps none."""

    tag: ClassVar[str] = "fulfilment.stock_answered"
    title: ClassVar[str] = "{quantity} of {sku} kept for the order"

    sku: str
    quantity: int


class FulfilmentSecured(Event, frozen=True):
    """Money and stock are both there: the order is to be confirmed."""

    tag: ClassVar[str] = "fulfilment.secured"
    title: ClassVar[str] = "The order is paid and its stock kept"

    quantities: dict[str, int]
    """By the thing; none of those that are missing."""
    refund: int
    """What was paid for those, in minor units."""


class FulfilmentFailed(Event, frozen=True):
    """It will not come to that: the order is to be cancelled."""

    tag: ClassVar[str] = "fulfilment.failed"
    title: ClassVar[str] = "The order cannot be fulfilled ({reason})"

    reason: str


class FulfilmentAbandoned(Event, frozen=True):
    """The order was cancelled: the money goes back, and what may be kept of these is released."""

    tag: ClassVar[str] = "fulfilment.abandoned"
    title: ClassVar[str] = "Gave up the order"

    skus: tuple[str, ...]


class FulfilmentDispatched(Event, frozen=True):
    """The order was shipped: what was kept of these has left."""

    tag: ClassVar[str] = "fulfilment.dispatched"
    title: ClassVar[str] = "The order is on its way"

    skus: tuple[str, ...]


REGISTERED = (
    FulfilmentBegun,
    FulfilmentPaid,
    StockAnswered,
    FulfilmentSecured,
    FulfilmentFailed,
    FulfilmentAbandoned,
    FulfilmentDispatched,
)
"""The process's event types, for the catalogue."""
