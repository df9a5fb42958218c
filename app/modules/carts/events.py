"""What happens to a cart, and to a visitor whose carts may turn out to be a customer's."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from app.kernel.event import Event


class Line(Struct, frozen=True):
    """So many of one thing."""

    sku: str
    quantity: int
    unit_price: int
    """In minor units of the currency."""
    currency: str


class CartOpened(Event, frozen=True):
    """Somebody has a cart; it is empty."""

    tag: ClassVar[str] = "cart.opened"
    title: ClassVar[str] = "Opened a cart"

    customer_id: str
    """Whose it is: ``~…`` for a visitor."""
    identity_id: UUID | None = None
    """The visitor's, by which a customer may be known later; None for a customer."""


class ItemAdded(Event, frozen=True):
    """Something was put into the cart that was not in it."""

    tag: ClassVar[str] = "cart.item_added"
    title: ClassVar[str] = "Put {quantity} of {sku} into the cart"

    sku: str
    quantity: int
    unit_price: int
    currency: str


class ItemChanged(Event, frozen=True):
    """There are more or fewer of something in the cart now, or at another price."""

    tag: ClassVar[str] = "cart.item_changed"
    title: ClassVar[str] = "Changed {sku} in the cart to {quantity}"

    sku: str
    quantity: int
    unit_price: int


class ItemRemoved(Event, frozen=True):
    """Something is no longer in the cart."""

    tag: ClassVar[str] = "cart.item_removed"
    title: ClassVar[str] = "Removed {sku} from the cart"

    sku: str


class CartAssigned(Event, frozen=True):
    """The visitor turned out to be a customer, whose the cart is from now on."""

    tag: ClassVar[str] = "cart.assigned"
    title: ClassVar[str] = "Took over a visitor's cart"

    customer_id: str


class CartCheckedOut(Event, frozen=True):
    """The customer wants to have what is in the cart; nothing of it changes any more."""

    tag: ClassVar[str] = "cart.checked_out"
    title: ClassVar[str] = "Checked out the cart"

    lines: tuple[Line, ...]
    total: int
    """In minor units of the currency."""
    currency: str


class CartNoted(Event, frozen=True):
    """The visitor opened a cart."""

    tag: ClassVar[str] = "cart_visitor.cart_noted"
    title: ClassVar[str] = "Noted a cart"

    cart_id: str
    customer_id: str | None = None
    """Whose it is to be, where it was known by then who the visitor is."""


class VisitorRecognised(Event, frozen=True):
    """It is known which customer the visitor is."""

    tag: ClassVar[str] = "cart_visitor.recognised"
    title: ClassVar[str] = "Recognised as {customer_id}"

    customer_id: str
    cart_ids: tuple[str, ...]
    """Those that are to be the customer's."""


class VisitorForgotten(Event, frozen=True):
    """The visitor was taken for a customer, and is so no more."""

    tag: ClassVar[str] = "cart_visitor.forgotten"
    title: ClassVar[str] = "No longer taken for {customer_id}"

    customer_id: str


REGISTERED = (
    CartOpened,
    ItemAdded,
    ItemChanged,
    ItemRemoved,
    CartAssigned,
    CartCheckedOut,
    CartNoted,
    VisitorRecognised,
    VisitorForgotten,
)
"""The event types of this module, for the catalogue."""
