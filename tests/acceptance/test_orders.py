"""Orders, payments and inventory over HTTP: each alone, and joined by what follows from events."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Answer, Api, until_async

pytestmark = pytest.mark.anyio

ORDERS, ITEMS = 20, 4
WITHIN_S = 20


@pytest.fixture
def name() -> str:
    """An id of the test's own, of whatever it is."""
    return str(uuid4())


def placing(customer_id: str, **fields: Any) -> dict[str, Any]:
    lines = [{"sku": f"sku-{customer_id}", "quantity": 2, "unit_price": 1250}]
    return {"customer_id": customer_id, "currency": "EUR", "lines": lines, **fields}


def types(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [event["type"] for event in answer.json()["events"]]


async def test_an_order_is_placed_read_and_cancelled(api: Api, name: str) -> None:
    order = f"/v1/orders/{name}"
    assert types(await api.post(f"{order}/place", placing(name))) == ["order.placed"]
    assert types(await api.post(f"{order}/place", placing(name))) == []
    read = await api.get(order)
    assert read.headers["etag"] == '"1"'
    assert read.json() == {
        "order_id": name,
        "customer_id": name,
        "status": "placed",
        "currency": "EUR",
        "lines": placing(name)["lines"],
        "total": 2500,
        "confirmed_lines": None,
        "confirmed_total": None,
        "reason": None,
    }
    early = await api.post(f"{order}/ship", {})
    assert (early.status, early.code) == (409, "order-not-confirmed")
    assert types(await api.post(f"{order}/cancel", {"reason": "too-dear"})) == ["order.cancelled"]
    assert types(await api.post(f"{order}/cancel", {})) == []
    cancelled = await api.read(order)
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "too-dear")
    late = await api.post(f"{order}/deliver", {})
    assert (late.status, late.code) == (409, "order-is-cancelled")


async def test_an_order_stands_on_the_customers_timeline(api: Api, name: str) -> None:
    await api.post(f"/v1/orders/{name}/place", placing(name))
    done = (await api.post(f"/v1/orders/{name}/cancel", {"reason": "too-dear"})).json()
    timeline = await api.read(f"/v1/customers/{name}/timeline?min_position={done['position']}")
    titles = {entry["title"]: entry["kind"] for entry in timeline["items"]}
    assert titles["Placed an order"] == titles["Order cancelled (too-dear)"] == "order"


async def test_a_payment_is_captured_once_and_goes_back_once(api: Api, name: str) -> None:
    payment = f"/v1/payments/{name}"
    asked = {"customer_id": name, "amount": 2500, "currency": "EUR"}
    assert types(await api.post(f"{payment}/request", asked)) == ["payment.requested"]
    assert types(await api.post(f"{payment}/cancel", {})) == ["payment.cancelled"]
    late = await api.post(f"{payment}/confirm", {})
    assert types(late) == ["payment.captured", "payment.refund_requested"]
    assert types(await api.post(f"{payment}/confirm", {})) == []
    assert types(await api.post(f"{payment}/decline", {"reason": "no-funds"})) == []
    sent = {"refund_id": "cancellation"}
    assert types(await api.post(f"{payment}/confirm-refund", sent)) == ["payment.refunded"]
    assert types(await api.post(f"{payment}/confirm-refund", sent)) == []
    read = await api.read(payment)
    assert read == {
        "payment_id": name,
        **asked,
        "status": "captured",
        "refunds": [{"refund_id": "cancellation", "amount": 2500, "is_confirmed": True}],
        "rest": 0,
    }
    more = await api.post(f"{payment}/refund", {"refund_id": "more", "amount": 1})
    assert (more.status, more.code) == (409, "refund-too-large")


async def test_of_two_that_want_the_last_one_gets_it(api: Api, name: str) -> None:
    stock = f"/v1/inventory/{name}"
    received = {"quantity": 1}
    for _ in range(2):
        answer = await api.post(f"{stock}/receive", received, Idempotency_Key=f"receipt-{name}")
        assert types(answer) == ["inventory.received"]
    outcomes = [
        types(await api.post(f"{stock}/reserve", {"order_id": order, "quantity": 1}))
        for order in ("first", "second", "first")
    ]
    assert outcomes == [["inventory.reserved"], ["inventory.declined"], []]
    assert types(await api.post(f"{stock}/ship", {"order_id": "first"})) == ["inventory.shipped"]
    assert types(await api.post(f"{stock}/release", {"order_id": "first"})) == []
    assert await api.read(stock) == {"sku": name, "available": 0, "reserved": 0, "shipped": 1}


async def test_of_many_at_once_who_want_the_last_ones_so_many_get_them(api: Api, name: str) -> None:
    """Each of the others has its money back; every callback comes twice."""
    stock = f"/v1/inventory/{name}"
    await api.post(f"{stock}/receive", {"quantity": ITEMS})
    lines = [{"sku": name, "quantity": 1, "unit_price": 1250}]

    async def buy(order_id: str) -> str:
        await api.post(f"/v1/orders/{order_id}/place", placing(name, lines=lines))
        payment = f"/v1/payments/order-{order_id}"

        async def is_requested() -> bool:
            return (await api.get(payment)).status == 200

        async def is_decided() -> bool:
            return str((await api.read(f"/v1/orders/{order_id}"))["status"]) != "placed"

        async def is_balanced() -> bool:
            order, paid = await api.read(f"/v1/orders/{order_id}"), await api.read(payment)
            confirmed_total: int = order["confirmed_total"] or 0
            rest: int = paid["rest"]
            return rest == confirmed_total

        await until_async(is_requested, seconds=WITHIN_S)
        await asyncio.gather(*(api.post(f"{payment}/confirm", {}) for _ in range(2)))
        await until_async(is_decided, seconds=WITHIN_S)
        await until_async(is_balanced, seconds=WITHIN_S)
        return str((await api.read(f"/v1/orders/{order_id}"))["status"])

    outcomes = Counter(await asyncio.gather(*(buy(f"{name}-{n}") for n in range(ORDERS))))
    assert outcomes == {"confirmed": ITEMS, "cancelled": ORDERS - ITEMS}
    assert await api.read(stock) == {"sku": name, "available": 0, "reserved": ITEMS, "shipped": 0}


async def test_what_was_never_begun_is_not_there(api: Api, name: str) -> None:
    for answer, code in (
        (await api.get(f"/v1/orders/{name}"), "no-such-order"),
        (await api.post(f"/v1/orders/{name}/ship", {}), "no-such-order"),
        (await api.get(f"/v1/payments/{name}"), "no-such-payment"),
        (await api.post(f"/v1/payments/{name}/confirm", {}), "no-such-payment"),
        (await api.get(f"/v1/inventory/{name}"), "no-such-stock"),
    ):
        assert (answer.status, answer.code) == (404, code)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/orders/o/place", placing("anna", lines=[]), "lines"),
        ("/v1/orders/o/place", placing("anna", currency="euro"), "currency"),
        ("/v1/orders/o/place", placing("~anna"), "customer_id"),
        (
            "/v1/orders/o/place",
            placing("anna", lines=[{"sku": "a/b", "quantity": 1, "unit_price": 1}]),
            "lines[0].sku",
        ),
        (
            "/v1/orders/o/place",
            placing("anna", lines=[{"sku": "a", "quantity": 0, "unit_price": 1}]),
            "lines[0].quantity",
        ),
        (
            "/v1/orders/o/place",
            placing("anna", lines=[{"sku": "a", "quantity": 1, "unit_price": 12.5}]),
            "lines[0].unit_price",
        ),
        (f"/v1/orders/{'o' * 101}/place", placing("anna"), "order_id"),
        ("/v1/orders/o/cancel", {"reason": "Too dear"}, "reason"),
        ("/v1/orders/o/ship", {"now": True}, "now"),
        ("/v1/payments/p/request", {"customer_id": "a", "amount": 0, "currency": "EUR"}, "amount"),
        ("/v1/payments/p/decline", {}, "reason"),
        ("/v1/payments/p/refund", {"refund_id": "Oh no", "amount": 1}, "refund_id"),
        ("/v1/inventory/i/receive", {"quantity": -1}, "quantity"),
        ("/v1/inventory/i/reserve", {"order_id": "a?b", "quantity": 1}, "order_id"),
    ],
)
async def test_bad_input_is_refused_by_field(
    api: Api, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await api.post(path, body)
    assert (answer.status, answer.problem["field"]) == (400, field)
