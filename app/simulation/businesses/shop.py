"""The shop: carts, orders, a payment provider that is no model of reliability, and a warehouse."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from app.simulation import words
from app.simulation.businesses.inbox import reading
from app.simulation.crowd import Person
from app.simulation.scripts import (
    Script,
    ask,
    awaited,
    event,
    hours,
    look,
    minutes,
    post,
    together,
)

Line = dict[str, Any]

TIME_TO_PAY = timedelta(minutes=40)
"""Well beyond what an order has to be paid in."""
ABANDONED_SHARE = 0.12
VISITORS_SHARE = 0.35
CLICKS_SHARE = 0.15
"""Of offers that are clicked first."""


def stocking(chance: Random, deliveries: int) -> Script:
    """The warehouse gets some of everything, and too little of some."""
    for number in range(deliveries):
        for product in words.PRODUCTS:
            scarce = product.sku in words.SCARCE
            quantity = chance.randint(0, 1) if scarce else chance.randint(2, 5)
            if quantity:
                yield from post(f"inventory/{product.sku}/receive", quantity=quantity)
        if number + 1 < deliveries:
            yield hours(24)


def shopping(chance: Random, person: Person, name: str) -> Script:
    """A cart is filled, by somebody unknown at first or not, and most become orders."""
    if chance.random() < CLICKS_SHARE:
        product = chance.choice(words.PRODUCTS)
        yield from event("Offer Clicked", person.customer_id, offer=product.name)
        if chance.random() < 0.5:  # of more, nothing comes
            return
    visitor = f"visitor-of-{name}" if chance.random() < VISITORS_SHARE else None
    whose = {"anonymous_id": visitor} if visitor else {"customer_id": person.customer_id}
    lines = _wanted(chance)
    yield from post(f"carts/{name}/open", **whose)
    yield from _filling(chance, name, lines)
    if chance.random() < 0.15:  # a second one, on another device, that is left behind
        yield from post(f"carts/{name}-2/open", customer_id=person.customer_id)
        yield from post(f"carts/{name}-2/add-item", **lines[0], currency="EUR")
    yield minutes(chance.randint(1, 30))
    if chance.random() < ABANDONED_SHARE:
        return
    if visitor:
        link = {"kind": "anonymous", "value": visitor}
        yield from post(f"customers/{person.customer_id}/link-identity", **link)
        if not (yield from awaited(f"cart-{name}", "cart.assigned")):
            return
    for _ in range(chance.choice((1, 1, 1, 2))):
        yield from post(f"carts/{name}/check-out")
    yield from _ordering(chance, person, name, lines)


def _wanted(chance: Random) -> list[Line]:
    products = chance.sample(words.PRODUCTS, chance.choice((1, 1, 2, 3)))
    return [
        {"sku": each.sku, "quantity": chance.choice((1, 1, 1, 2, 3)), "unit_price": each.cents}
        for each in products
    ]


def _filling(chance: Random, name: str, lines: list[Line]) -> Script:
    """It comes to these lines, after some to and fro."""
    for line in lines:
        first = {**line, "quantity": line["quantity"] + chance.choice((0, 0, 0, 1))}
        yield from post(f"carts/{name}/add-item", **first, currency="EUR")
        if first != line:
            change = {"sku": line["sku"], "quantity": line["quantity"]}
            yield from post(f"carts/{name}/change-item", **change)
    if chance.random() < 0.2:
        regretted = {"sku": "Z-0", "quantity": 1, "unit_price": 99_900, "currency": "EUR"}
        yield from post(f"carts/{name}/add-item", **regretted)
        yield from post(f"carts/{name}/remove-item", sku="Z-0")


def _ordering(chance: Random, person: Person, name: str, lines: list[Line]) -> Script:
    order = {
        "customer_id": person.customer_id,
        "lines": lines,
        "currency": "EUR",
        "allow_partial": chance.random() < 0.25,
    }
    manner = chance.choices(list(MANNERS_OF_PAYING), list(MANNERS_OF_PAYING.values()))[0]
    for _ in range(chance.choice((1, 1, 1, 1, 2))):
        yield from post(f"orders/{name}/place", **order)
    if not (yield from awaited(f"payment-order-{name}", "payment.requested")):
        return
    yield from manner(chance, name)
    became = yield from awaited(
        f"order-{name}", "order.confirmed", "order.cancelled", within=TIME_TO_PAY
    )
    if became == "order.confirmed":
        yield from reading(chance, person, f"order-confirmed:{name}")
        yield from _delivering(chance, name)
    if became:
        yield from _refunding(chance, name)


def _paying(chance: Random, name: str) -> Script:
    yield minutes(chance.randint(1, 4))
    yield from post(f"payments/order-{name}/confirm")


def _paying_told_twice(chance: Random, name: str) -> Script:
    yield minutes(chance.randint(0, 4))
    yield from together([ask(f"payments/order-{name}/confirm")] * 2)


def _told_out_of_order(_chance: Random, name: str) -> Script:
    """The first card was declined, the second was not; the news come the other way round."""
    yield from post(f"payments/order-{name}/confirm")
    yield minutes(1)
    yield from post(f"payments/order-{name}/decline", reason="card-declined")


def _declined(chance: Random, name: str) -> Script:
    yield minutes(chance.randint(0, 3))
    yield from post(f"payments/order-{name}/decline", reason=chance.choice(REASONS))


def _declined_then_paid(chance: Random, name: str) -> Script:
    """The order is given up by then: the money goes back."""
    yield from _declined(chance, name)
    yield minutes(5)
    yield from post(f"payments/order-{name}/confirm")


def _paying_late(chance: Random, name: str) -> Script:
    became = yield from awaited(f"order-{name}", "order.cancelled", within=TIME_TO_PAY)
    if became:
        yield minutes(chance.randint(1, 60))
        yield from post(f"payments/order-{name}/confirm")


def _not_paying(_chance: Random, _name: str) -> Script:
    yield from ()


def _cancelling(_chance: Random, name: str) -> Script:
    """The customer thinks better of it as the provider collects the money."""
    cancel = ask(f"orders/{name}/cancel", reason="changed-my-mind")
    yield from together([cancel, ask(f"payments/order-{name}/confirm")])


REASONS = ("card-declined", "expired-card", "insufficient-funds")
MANNERS_OF_PAYING: Mapping[Callable[[Random, str], Script], int] = {
    _paying: 12,
    _paying_told_twice: 3,
    _told_out_of_order: 2,
    _declined: 2,
    _declined_then_paid: 1,
    _paying_late: 1,
    _not_paying: 1,
    _cancelling: 2,
}
"""What the provider and the customer do, and how often beside the others."""


def _delivering(chance: Random, name: str) -> Script:
    """It is shipped and delivered, unless the customer is faster."""
    thinks_better = chance.random()
    yield hours(chance.randint(1, 14))
    cancel = ask(f"orders/{name}/cancel", "order-already-shipped", reason="not-needed-any-more")
    ship = ask(f"orders/{name}/ship", "order-is-cancelled")
    if thinks_better < 0.06:
        yield from together([cancel])
    elif thinks_better < 0.12:  # just as it is handed over
        yield from together([ship, cancel])
    else:
        yield from together([ship])
    yield minutes(30)
    order = yield from look(f"orders/{name}")
    if order["status"] == "cancelled":
        return
    yield hours(chance.randint(6, 20))
    for _ in range(chance.choice((1, 1, 1, 2))):
        yield from post(f"orders/{name}/deliver")


def _refunding(chance: Random, name: str) -> Script:
    """The provider sends back what it is asked to; it says so, sometimes twice."""
    yield minutes(chance.randint(10, 90))
    payment = yield from look(f"payments/order-{name}")
    for refund in payment["refunds"]:
        for _ in range(chance.choice((1, 1, 2))):
            path = f"payments/order-{name}/confirm-refund"
            yield from post(path, refund_id=refund["refund_id"])
