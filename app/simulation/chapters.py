"""Small stories that people's days are made of, each told by a chance and a name for its things."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from app.simulation import words


class Occurrence(NamedTuple):
    """Something that happened."""

    type: str
    data: Mapping[str, Any]


class Instruction(NamedTuple):
    """Something that the customer wants done."""

    command: str
    fields: Mapping[str, Any]


Scenes = Iterator[Occurrence | Instruction]
Chapter = Callable[[Random, str], Iterator[Occurrence]]


def browsing(chance: Random, _name: str) -> Iterator[Occurrence]:
    """Looking around, before anybody knows who it is."""
    referrer = chance.choice(words.REFERRERS)
    for page in chance.sample(words.PAGES, chance.randint(1, 3)):
        yield Occurrence("Page Viewed", {"page": page, "referrer": referrer})
    yield Occurrence("Product Viewed", _shown(chance.choice(words.PRODUCTS)))


def shopping(chance: Random, name: str) -> Iterator[Occurrence]:
    """Things go into a cart, and most carts become orders."""
    products = [chance.choice(words.PRODUCTS) for _ in range(chance.randint(1, 3))]
    for product in products:
        yield Occurrence("Product Added", _shown(product) | {"quantity": 1})
    total = _money(sum(product.cents for product in products))
    cart = {"total": total, "currency": "EUR", "items": len(products)}
    if chance.random() < 0.15:
        yield Occurrence("Cart Abandoned", cart)
        return
    order = {"order_id": f"order-{name}"}
    yield Occurrence("Order Placed", order | cart)
    yield from _paying(chance, order | {"amount": total, "currency": "EUR"})
    yield Occurrence("Order Shipped", order | {"carrier": chance.choice(words.CARRIERS)})


def _paying(chance: Random, payment: Mapping[str, Any]) -> Iterator[Occurrence]:
    if chance.random() < 0.12:
        reason = chance.choice(words.DECLINES)
        yield Occurrence("Payment Failed", {**payment, "method": "card", "reason": reason})
    method = chance.choice(words.PAYMENT_METHODS)
    yield Occurrence("Payment Succeeded", {**payment, "method": method})


def listening(chance: Random, _name: str) -> Iterator[Occurrence]:
    """An episode, with a pause, and sometimes with a network that is too slow."""
    podcast, title, length_s = chance.choice(words.EPISODES)
    episode = {"podcast": podcast, "episode": title}
    pause_s = chance.randrange(60, length_s)
    yield Occurrence("Episode Played", episode | {"position_s": 0})
    if chance.random() < 0.3:
        stalled = {"position_s": chance.randrange(pause_s), "stalled_ms": chance.randint(300, 9000)}
        yield Occurrence("Playback Buffered", episode | stalled)
    yield Occurrence("Episode Paused", episode | {"position_s": pause_s})
    if chance.random() < 0.6:
        yield Occurrence("Episode Played", episode | {"position_s": pause_s})
        yield Occurrence("Episode Completed", episode | {"length_s": length_s})


def riding(chance: Random, name: str) -> Iterator[Occurrence]:
    """A ride from one place to another, or none after all."""
    origin, destination = chance.sample(words.PLACES, 2)
    ride = {"ride_id": f"ride-{name}", "vehicle": chance.choice(words.VEHICLES)}
    yield Occurrence("Ride Requested", ride | {"from": origin, "to": destination})
    if chance.random() < 0.12:
        yield Occurrence("Ride Cancelled", ride | {"reason": chance.choice(words.CANCELLATIONS)})
        return
    yield Occurrence("Ride Started", ride | {"waited_s": chance.randint(40, 700)})
    distance_m = chance.randrange(600, 14_000, 100)
    fare = {"fare": _money(250 + distance_m // 8), "currency": "EUR"}
    yield Occurrence("Ride Completed", ride | fare | {"distance_km": distance_m / 1000})


def asking(chance: Random, name: str) -> Iterator[Occurrence]:
    """A question to support, its answer, and how the customer liked it."""
    topic, question = chance.choice(words.QUESTIONS)
    ticket = {"ticket_id": f"ticket-{name}", "channel": chance.choice(words.CHANNELS)}
    yield Occurrence("Support Question Asked", ticket | {"topic": topic, "question": question})
    yield Occurrence("Support Question Answered", ticket | {"minutes": chance.randint(2, 90)})
    if chance.random() < 0.5:
        yield Occurrence("Support Rated", ticket | {"stars": chance.randint(2, 5)})


def changing_settings(chance: Random, number: int) -> Iterator[Instruction]:
    """Traits change, in chapter `number`; some agree to offers, and think again.

    Each instruction changes something whatever went before, for one that changes nothing is not
    remembered, and its repeat could.
    """
    points = number * 100 + chance.randrange(100)
    traits = {"loyalty_points": points, "plan": chance.choice(words.PLANS)}
    yield Instruction("change-traits", {"traits": traits})
    if chance.random() < 0.3:
        consent = {"channel": "sms", "topic": "offers"}
        yield Instruction("record-consent", consent)
        yield Instruction("withdraw-consent", consent)


CHAPTERS: Mapping[Chapter, int] = {shopping: 4, listening: 3, riding: 2, asking: 1}
"""What customers do, and how often beside the others."""
SETTINGS_SHARE = 0.1
"""Of a customer's live chapters. There are none in the past: a command happens when it is sent."""


def any_chapter(chance: Random) -> Chapter:
    """One of the things that customers do."""
    return chance.choices(list(CHAPTERS), list(CHAPTERS.values()))[0]


def _shown(product: words.Product) -> dict[str, Any]:
    price = {"price": _money(product.cents), "currency": "EUR"}
    return {"sku": product.sku, "name": product.name} | price


def _money(cents: int) -> float:
    return cents / 100
