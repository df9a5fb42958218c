"""Many order the last items at once, and reactors and workers are killed: so many get them as there
are, the others have their money back, and the books balance.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.load import insist
from tests.faults.scale import FULL, rounds
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SEED = 7
ORDERS = rounds(few=40, full=1_000)
ITEMS = rounds(few=4, full=100)
PRICE = 1250
BUYERS_AT_ONCE = rounds(few=20, full=50)
KILL_EVERY_S = (2.0, 6.0) if FULL else (0.1, 0.4)
MAX_KILLS = rounds(few=5, full=1_000)
"""Whoever is killed again and again is started again with pauses that grow."""
VICTIMS = ("reactor", "reactor", "api-1", "api-2")
WITHIN_S = rounds(few=60, full=300)
REQUEST_TIMEOUT_S = 10


@pytest.fixture
def tidings_up(tmp_path: Path) -> Iterator[TidingsUp]:
    running = TidingsUp(tmp_path, "--workers", "2", max_requests_per_s=0, max_events_per_s=0)
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
async def api(tidings_up: TidingsUp) -> AsyncIterator[Api]:
    async with api_of(tidings_up.url, timeout_seconds=REQUEST_TIMEOUT_S) as client:
        yield client


async def keep_killing(tidings_up: TidingsUp, chance: random.Random, killed: Counter[str]) -> None:
    for _ in range(MAX_KILLS):
        await asyncio.sleep(chance.uniform(*KILL_EVERY_S))
        victim = chance.choice(VICTIMS)
        with suppress(KeyError, ProcessLookupError):  # it is being started again
            os.kill(tidings_up.children()[victim], signal.SIGKILL)
            killed[victim] += 1


class Shop:
    """Buyers, a payment provider that says everything twice, and a warehouse."""

    def __init__(self, api: Api, chance: random.Random) -> None:
        self._api = api
        self._chance = chance
        self._at_once = asyncio.Semaphore(BUYERS_AT_ONCE)

    async def buy(self, order_id: str) -> dict[str, Any]:
        """Order one, pay for it, and see it end; how the order and its payment stand then."""
        async with self._at_once:
            line = {"sku": "lamp", "quantity": 1, "unit_price": PRICE}
            order = {"customer_id": f"buyer-{order_id}", "currency": "EUR", "lines": [line]}
            await self._send(f"orders/{order_id}/place", order)
            await self._until(lambda: self._is_there(f"payments/order-{order_id}"))
            if self._chance.random() < 0.2:
                await self._send(f"payments/order-{order_id}/decline", {"reason": "try-again"})
            for _ in range(2):
                await self._send(f"payments/order-{order_id}/confirm", {})
            await self._until(lambda: self._is_decided(order_id))
            if (await self._read(f"orders/{order_id}"))["status"] == "confirmed":
                await self._send(f"orders/{order_id}/ship", {})
                await self._send(f"orders/{order_id}/deliver", {})
            await self._until(lambda: self._is_settled(order_id))
            return {
                "order": await self._read(f"orders/{order_id}"),
                "payment": await self._read(f"payments/order-{order_id}"),
            }

    async def _is_decided(self, order_id: str) -> bool:
        """A declined payment cancels the order; what comes later goes back."""
        return bool((await self._read(f"orders/{order_id}"))["status"] != "placed")

    async def _is_settled(self, order_id: str) -> bool:
        order = await self._read(f"orders/{order_id}")
        payment = await self._read(f"payments/order-{order_id}")
        kept = PRICE if order["status"] == "delivered" else 0
        return bool(payment["rest"] == kept)

    async def _is_there(self, what: str) -> bool:
        return (await insist(self._api, "GET", f"/v1/{what}")).status == 200

    async def _until(self, condition: Any) -> None:
        await until_async(condition, seconds=WITHIN_S)

    async def _read(self, what: str) -> Any:
        answer = await insist(self._api, "GET", f"/v1/{what}")
        assert answer.status == 200, answer
        return answer.json()

    async def _send(self, what: str, body: Any) -> None:
        answer = await insist(self._api, "POST", f"/v1/{what}", body, Idempotency_Key=what)
        assert answer.status == 200, answer


async def test_so_many_get_the_last_items_as_there_are_and_the_others_their_money_back(
    tidings_up: TidingsUp, api: Api
) -> None:
    chance = random.Random(SEED)
    received = {"quantity": ITEMS}
    await insist(api, "POST", "/v1/inventory/lamp/receive", received, Idempotency_Key="receipt")
    shop = Shop(api, chance)

    killed = Counter[str]()
    killing = asyncio.create_task(keep_killing(tidings_up, chance, killed))
    ended = await asyncio.gather(*(shop.buy(f"{number}") for number in range(ORDERS)))
    killing.cancel()
    print("killed", killed)
    assert killed

    statuses = Counter(each["order"]["status"] for each in ended)
    assert statuses == {"delivered": ITEMS, "cancelled": ORDERS - ITEMS}
    paid = sum(each["payment"]["rest"] for each in ended)
    assert paid == ITEMS * PRICE

    async def is_shipped() -> bool:
        stock = (await insist(api, "GET", "/v1/inventory/lamp")).json()
        return bool(stock == {"sku": "lamp", "available": 0, "reserved": 0, "shipped": ITEMS})

    await until_async(is_shipped, seconds=WITHIN_S)
    told = Counter(
        (event["customer_id"], event["data"]["kind"])
        for event in await api.log()
        if event["type"] == "message.requested"
    )
    assert set(told.values()) == {1}, "each is told each thing once"
