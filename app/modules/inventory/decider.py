"""What may happen to the stock of one thing: no unit is kept or shipped twice, and none is owed.

An order reserves a thing once. A reservation is known until it is released or shipped, and
forgotten then, so that what is kept in mind does not grow with all that was ever sold.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.inventory.events import (
    ReservationDeclined,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShipped,
)


class NoSuchStock(NotFound):
    """Nothing of this was ever received or wanted."""


class ReservationDiffers(Refused):
    """The order has reserved another quantity of this."""


class ReceiveStock(Struct, frozen=True):
    """Note that units came in."""

    quantity: int


class ReserveStock(Struct, frozen=True):
    """Keep units for an order; it is declined when there are too few."""

    order_id: str
    quantity: int
    allow_partial: bool = False
    """Whether fewer are welcome: then it is declined only when there are none."""


class ReleaseStock(Struct, frozen=True):
    """Keep them no longer; nothing where none are kept."""

    order_id: str


class ShipStock(Struct, frozen=True):
    """Note that they left; nothing where none are kept."""

    order_id: str


InventoryCommand = ReceiveStock | ReserveStock | ReleaseStock | ShipStock


class Reservation(Struct, frozen=True):
    """What is kept for an order."""

    quantity: int
    wanted: int


class Stock(Struct, frozen=True):
    """The units of one thing. All that were ever received are in one of the three."""

    available: int = 0
    shipped: int = 0
    reservations: Mapping[str, Reservation] = {}
    """By order."""

    @property
    def reserved(self) -> int:
        """How many are kept, for all orders."""
        return sum(reservation.quantity for reservation in self.reservations.values())


def decide_inventory(command: InventoryCommand, stock: Stock) -> Sequence[Event]:
    """What follows from a command to the stock of a thing."""
    match command:
        case ReceiveStock(quantity):
            return (StockReceived(quantity),)
        case ReserveStock():
            return _reserve(command, stock)
        case ReleaseStock(order_id):
            kept = stock.reservations.get(order_id)
            return (StockReleased(order_id, kept.quantity),) if kept else ()
        case ShipStock(order_id):
            kept = stock.reservations.get(order_id)
            return (StockShipped(order_id, kept.quantity),) if kept else ()
        case _:
            assert_never(command)


def _reserve(command: ReserveStock, stock: Stock) -> Sequence[Event]:
    if kept := stock.reservations.get(command.order_id):
        if kept.wanted != command.quantity:
            raise ReservationDiffers
        return ()
    wanted, available = command.quantity, stock.available
    if available < (1 if command.allow_partial else wanted):
        return (ReservationDeclined(command.order_id, wanted, available),)
    return (StockReserved(command.order_id, min(wanted, available), wanted),)


def evolve_inventory(stock: Stock, event: Event) -> Stock:
    """The stock after an event."""
    match event:
        case StockReceived(quantity):
            return replace(stock, available=stock.available + quantity)
        case StockReserved(order_id, quantity, wanted):
            kept = {**stock.reservations, order_id: Reservation(quantity, wanted)}
            return replace(stock, available=stock.available - quantity, reservations=kept)
        case ReservationDeclined():
            return stock
        case StockReleased(order_id, quantity):
            rest = _without(stock, order_id)
            return replace(stock, available=stock.available + quantity, reservations=rest)
        case StockShipped(order_id, quantity):
            rest = _without(stock, order_id)
            return replace(stock, shipped=stock.shipped + quantity, reservations=rest)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of stock")


def _without(stock: Stock, order_id: str) -> Mapping[str, Reservation]:
    return {known: kept for known, kept in stock.reservations.items() if known != order_id}


INVENTORY: Decider[InventoryCommand, Stock] = Decider(
    category="inventory",
    initial=Stock(),
    decide=decide_inventory,
    evolve=evolve_inventory,
    events=(StockReceived, StockReserved, ReservationDeclined, StockReleased, StockShipped),
)
