"""Events to measure with: of about 400 bytes, by many customers, the same from run to run."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from app.kernel.event import NewEvent
from app.kernel.ids import new_event_id

CUSTOMERS = 5_000
PAYLOADS = 500
TYPES = ("Product Viewed", "Product Added", "Order Placed", "Payment Failed", "Support Asked")
SEED = 7

_FIRST_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)


class Crowd:
    """Customers whose activity is drawn at random, from a fixed seed."""

    def __init__(self, seed: int = SEED) -> None:
        """Payloads are made beforehand: making them is not what is measured."""
        self._random = random.Random(seed)
        self._payloads = [msgspec.json.encode(self._data()) for _ in range(PAYLOADS)]
        self._metadata = [msgspec.json.encode(_metadata()) for _ in range(PAYLOADS)]

    def customer(self) -> str:
        """Someone's id."""
        return f"customer-{self._random.randrange(CUSTOMERS):05}"

    def event(self, customer_id: str) -> NewEvent:
        """Something that happens to the customer now."""
        number = self._random.randrange(PAYLOADS)
        return NewEvent(
            event_id=new_event_id(),
            type=TYPES[number % len(TYPES)],
            data=Raw(self._payloads[number]),
            metadata=Raw(self._metadata[number]),
            customer_id=customer_id,
            occurred_at=_FIRST_INSTANT,
        )

    def sent_event(self) -> dict[str, Any]:
        """The same as a service sends it: the body of ``POST /v1/events``."""
        return {
            "type": self._random.choice(TYPES),
            "customer_id": self.customer(),
            "occurred_at": self.instant(),
            "data": self._data(),
        }

    def instant(self) -> str:
        """A time of the year's first days, as RFC 3339 has it."""
        passed = timedelta(milliseconds=self._random.randrange(10**9))
        return (_FIRST_INSTANT + passed).isoformat()

    def traits(self) -> dict[str, Any]:
        """Traits of a customer; two draws are hardly ever equal."""
        return {
            "plan": self._random.choice(("free", "pro", "team")),
            "seats": self._random.randrange(1_000),
            "city": self._random.choice(("Aarhus", "Bergen", "Turku")),
            "last_order": f"order-{self._random.randrange(10**6)}",
        }

    def _data(self) -> dict[str, Any]:
        return {
            "sku": f"SKU-{self._random.randrange(10**6):06}",
            "title": "Walnut writing desk, 140 cm",
            "quantity": self._random.randrange(1, 5),
            "price": {"amount": self._random.randrange(100, 100_000), "currency": "EUR"},
            "cart_id": f"{self._random.getrandbits(128):032x}",
            "page": f"https://shop.example/desks/{self._random.randrange(10**4)}",
            "campaign": "spring sale",
        }


def _metadata() -> dict[str, str]:
    request_id = str(new_event_id())
    return {"correlation_id": request_id, "source": "default", "request_id": request_id}
