"""A cart until it is checked out; and a visitor's carts, which a customer may take over.

A cart's things are one currency's and one line each, so that a repeat of a command is seen to be
one: putting in what is in already is nothing, and another number of it is a change.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.carts.events import (
    CartAssigned,
    CartCheckedOut,
    CartNoted,
    CartOpened,
    ItemAdded,
    ItemChanged,
    ItemRemoved,
    Line,
    VisitorForgotten,
    VisitorRecognised,
)

MAX_LINES = 100
MAX_CARTS_OF_A_VISITOR = 100
"""Of a visitor who opens more, the newest so many are remembered."""


class NoSuchCart(NotFound, Refused):
    """There is no such cart."""


class CartTaken(Refused):
    """There is a cart of this id, and it is somebody else's."""


class CartClosed(Refused):
    """The cart is checked out, and changes no more."""


class CartEmpty(Refused):
    """There is nothing in the cart to check out."""


class AlreadyInCart(Refused):
    """The item is in the cart already, in another number or at another price; change it instead."""


class NotInCart(Refused):
    """There is no such item in the cart."""


class MixedCurrencies(Refused):
    """What is in the cart has prices in another currency."""


class TooManyLines(Refused):
    """A cart holds at most 100 different items."""


class OpenCart(Struct, frozen=True):
    """Have a cart; nothing when this cart is one's own already."""

    customer_id: str
    identity_id: UUID | None = None
    """Of a visitor; see `CartOpened`."""


class AddItem(Struct, frozen=True):
    """Put something in."""

    sku: str
    quantity: int
    unit_price: int
    currency: str


class ChangeItem(Struct, frozen=True):
    """Have another number of something that is in; at another price, where one is given."""

    sku: str
    quantity: int
    unit_price: int | None = None


class RemoveItem(Struct, frozen=True):
    """Take something out; nothing when it is not in."""

    sku: str


class AssignCart(Struct, frozen=True):
    """Give a visitor's cart to a customer; nothing when it is a customer's, or checked out."""

    customer_id: str


class CheckOut(Struct, frozen=True):
    """Buy what is in; from then on the cart stays as it is."""


CartCommand = OpenCart | AddItem | ChangeItem | RemoveItem | AssignCart | CheckOut


class NoteCart(Struct, frozen=True):
    """The visitor has opened a cart."""

    cart_id: str


class RecogniseVisitor(Struct, frozen=True):
    """The visitor is a customer; the latest word counts."""

    customer_id: str


class ForgetVisitor(Struct, frozen=True):
    """The visitor is not this customer; carts that were given away stay so."""

    customer_id: str


VisitorCommand = NoteCart | RecogniseVisitor | ForgetVisitor


class NoCart(Struct, frozen=True):
    """There is no cart."""


class OpenedCart(Struct, frozen=True):
    """What is in it may change."""

    opened_by: str
    customer_id: str
    """Whose it is now: the one who opened it, or a customer whom it was given to."""
    lines: Mapping[str, Line] = {}
    """By what the items are."""


class ClosedCart(Struct, frozen=True):
    """It is checked out."""

    opened_by: str
    customer_id: str
    lines: Mapping[str, Line]


Cart = NoCart | OpenedCart | ClosedCart


class Stranger(Struct, frozen=True):
    """A visitor of whom it is not known which customer it is."""

    cart_ids: tuple[str, ...] = ()
    """Those that wait for a customer, oldest first."""


class Recognised(Struct, frozen=True):
    """A visitor who is a customer."""

    customer_id: str
    cart_ids: tuple[str, ...]
    """Those that are the customer's, so that a repeat is known as one."""


Visitor = Stranger | Recognised


def total_of(lines: Iterable[Line]) -> int:
    """What the lines cost, in minor units."""
    return sum(line.quantity * line.unit_price for line in lines)


def decide_cart(command: CartCommand, cart: Cart) -> Sequence[Event]:
    """What follows from a command to a cart."""
    match command:
        case OpenCart():
            return _open(command, cart)
        case AddItem():
            return _add(command, _still_open(cart))
        case ChangeItem():
            return _change(command, _still_open(cart))
        case RemoveItem(sku):
            return (ItemRemoved(sku),) if sku in _still_open(cart).lines else ()
        case AssignCart():
            return _assign(command, cart)
        case CheckOut():
            return () if isinstance(cart, ClosedCart) else _check_out(_still_open(cart))
        case _:
            assert_never(command)


def _open(command: OpenCart, cart: Cart) -> Sequence[Event]:
    if isinstance(cart, NoCart):
        return (CartOpened(command.customer_id, command.identity_id),)
    if command.customer_id not in {cart.opened_by, cart.customer_id}:
        raise CartTaken
    return ()


def _still_open(cart: Cart) -> OpenedCart:
    match cart:
        case NoCart():
            raise NoSuchCart
        case ClosedCart():
            raise CartClosed
        case OpenedCart():
            return cart
        case _:
            assert_never(cart)


def _add(command: AddItem, cart: OpenedCart) -> Sequence[Event]:
    line = Line(command.sku, command.quantity, command.unit_price, command.currency)
    present = cart.lines.get(command.sku)
    if present == line:
        return ()
    if present is not None:
        raise AlreadyInCart
    if any(other.currency != command.currency for other in cart.lines.values()):
        raise MixedCurrencies
    if len(cart.lines) >= MAX_LINES:
        raise TooManyLines
    return (ItemAdded(command.sku, command.quantity, command.unit_price, command.currency),)


def _change(command: ChangeItem, cart: OpenedCart) -> Sequence[Event]:
    line = cart.lines.get(command.sku)
    if line is None:
        raise NotInCart
    unit_price = line.unit_price if command.unit_price is None else command.unit_price
    if (command.quantity, unit_price) == (line.quantity, line.unit_price):
        return ()
    return (ItemChanged(command.sku, command.quantity, unit_price),)


def _assign(command: AssignCart, cart: Cart) -> Sequence[Event]:
    match cart:
        case NoCart():
            raise NoSuchCart
        case OpenedCart(customer_id=owner) if owner.startswith("~"):
            return (CartAssigned(command.customer_id),)
        case _:
            return ()


def _check_out(cart: OpenedCart) -> Sequence[Event]:
    lines = tuple(cart.lines.values())
    if not lines:
        raise CartEmpty
    return (CartCheckedOut(lines, total_of(lines), lines[0].currency),)


def evolve_cart(cart: Cart, event: Event) -> Cart:
    """The cart after an event."""
    match event, cart:
        case CartOpened(customer_id=customer_id), _:
            return OpenedCart(customer_id, customer_id)
        case ItemAdded(sku, quantity, unit_price, currency), OpenedCart():
            return _with_line(cart, Line(sku, quantity, unit_price, currency))
        case ItemChanged(sku, quantity, unit_price), OpenedCart():
            line = cart.lines[sku]
            return _with_line(cart, replace(line, quantity=quantity, unit_price=unit_price))
        case ItemRemoved(sku), OpenedCart():
            rest = {other: line for other, line in cart.lines.items() if other != sku}
            return replace(cart, lines=rest)
        case CartAssigned(customer_id), OpenedCart():
            return replace(cart, customer_id=customer_id)
        case CartCheckedOut(), OpenedCart():
            return ClosedCart(cart.opened_by, cart.customer_id, cart.lines)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of such a cart")


def _with_line(cart: OpenedCart, line: Line) -> OpenedCart:
    return replace(cart, lines={**cart.lines, line.sku: line})


def _customer_of(cart: Cart) -> str | None:
    return None if isinstance(cart, NoCart) else cart.customer_id


def decide_visitor(command: VisitorCommand, visitor: Visitor) -> Sequence[Event]:
    """What follows from what is heard of a visitor."""
    match command:
        case NoteCart(cart_id):
            return _note(cart_id, visitor)
        case RecogniseVisitor(customer_id):
            return _recognise(customer_id, visitor)
        case ForgetVisitor(customer_id):
            is_known = isinstance(visitor, Recognised) and visitor.customer_id == customer_id
            return (VisitorForgotten(customer_id),) if is_known else ()
        case _:
            assert_never(command)


def _note(cart_id: str, visitor: Visitor) -> Sequence[Event]:
    if cart_id in visitor.cart_ids:
        return ()
    return (CartNoted(cart_id, visitor.customer_id if isinstance(visitor, Recognised) else None),)


def _recognise(customer_id: str, visitor: Visitor) -> Sequence[Event]:
    match visitor:
        case Stranger(cart_ids):
            return (VisitorRecognised(customer_id, cart_ids),)
        case Recognised():
            is_repeat = visitor.customer_id == customer_id
            return () if is_repeat else (VisitorRecognised(customer_id, ()),)
        case _:
            assert_never(visitor)


def evolve_visitor(visitor: Visitor, event: Event) -> Visitor:
    """The visitor after an event."""
    match event:
        case CartNoted(cart_id=cart_id):
            newest = (*visitor.cart_ids, cart_id)[-MAX_CARTS_OF_A_VISITOR:]
            return replace(visitor, cart_ids=newest)
        case VisitorRecognised(customer_id=customer_id):
            return Recognised(customer_id, visitor.cart_ids)
        case VisitorForgotten():
            return Stranger()
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a visitor")


CART: Decider[CartCommand, Cart] = Decider(
    category="cart",
    initial=NoCart(),
    decide=decide_cart,
    evolve=evolve_cart,
    events=(CartOpened, ItemAdded, ItemChanged, ItemRemoved, CartAssigned, CartCheckedOut),
    customer_of=_customer_of,
)

VISITOR: Decider[VisitorCommand, Visitor] = Decider(
    category="cart_visitor",
    initial=Stranger(),
    decide=decide_visitor,
    evolve=evolve_visitor,
    events=(CartNoted, VisitorRecognised, VisitorForgotten),
)
"""Of a visitor by its identity id, on nobody's timeline."""
