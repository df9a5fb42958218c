"""Carts over HTTP: from a visitor's to what is checked out."""

import asyncio
from uuid import uuid4

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio

TIMES = 10
SHOES = {"sku": "shoes", "quantity": 1, "unit_price": 8900, "currency": "EUR"}


async def test_a_cart_is_filled_and_checked_out_once_however_many_try_at_once(api: Api) -> None:
    cart, customer_id = f"/v1/carts/{uuid4()}", f"customer-of-{uuid4()}"
    assert (await api.post(f"{cart}/open", {"customer_id": customer_id})).status == 200
    for command, body in (("add-item", SHOES), ("check-out", {})):
        answers = await asyncio.gather(*(api.post(f"{cart}/{command}", body) for _ in range(TIMES)))
        assert {answer.status for answer in answers} == {200}
        assert sum(len(answer.json()["events"]) for answer in answers) == 1
        position = max(answer.json()["position"] for answer in answers)
    refused = await api.post(f"{cart}/add-item", SHOES | {"sku": "hat"})
    assert (refused.status, refused.code) == (409, "cart-closed")
    timeline = await api.read(f"/v1/customers/{customer_id}/timeline?min_position={position}")
    assert [(entry["title"], entry["kind"]) for entry in timeline["items"]] == [
        ("Checked out the cart", "cart"),
        ("Put 1 of shoes into the cart", "cart"),
        ("Opened a cart", "cart"),
    ]


async def test_a_cart_is_read_as_it_was_left(api: Api) -> None:
    cart, customer_id = str(uuid4()), f"customer-of-{uuid4()}"
    path = f"/v1/carts/{cart}"
    nothing = await api.get(path)
    assert (nothing.status, nothing.code) == (404, "no-such-cart")
    await api.post(f"{path}/open", {"customer_id": customer_id})
    of_it = {"cart_id": cart, "customer_id": customer_id}
    empty = {"status": "open", "lines": [], "total": 0, "currency": None}
    assert await api.read(path) == of_it | empty
    await api.post(f"{path}/add-item", SHOES)
    await api.post(f"{path}/add-item", SHOES | {"sku": "socks", "quantity": 2, "unit_price": 450})
    socks = {"sku": "socks", "quantity": 2, "unit_price": 450, "currency": "EUR"}
    filled = {"lines": [SHOES, socks], "total": 9800, "currency": "EUR"}
    assert await api.read(path) == of_it | filled | {"status": "open"}
    await api.post(f"{path}/check-out", {})
    assert await api.read(path) == of_it | filled | {"status": "checked-out"}


async def test_a_visitors_two_carts_know_the_identity_that_a_link_names(api: Api) -> None:
    visitor, customer_id = f"visitor-{uuid4()}", f"customer-of-{uuid4()}"
    noted = set()
    for _ in range(2):
        cart_id = str(uuid4())
        opened = await api.post(f"/v1/carts/{cart_id}/open", {"anonymous_id": visitor})
        assert opened.status == 200
        [event] = await api.all_items(f"/v1/streams/cart-{cart_id}", limit=100)
        assert event["customer_id"] == event["data"]["customer_id"] == f"~{visitor}"
        noted.add(event["data"]["identity_id"])
    link = {"kind": "anonymous", "value": visitor}
    assert (await api.post(f"/v1/customers/{customer_id}/link-identity", link)).status == 200
    [linked] = await api.all_items(f"/v1/streams/customer-{customer_id}", limit=100)
    assert noted == {linked["data"]["identity_id"]}


async def test_an_erased_visitor_has_no_cart_and_can_be_linked_to_nobody(api: Api) -> None:
    visitor = f"visitor-{uuid4()}"
    opened = await api.post(f"/v1/carts/{uuid4()}/open", {"anonymous_id": visitor})
    assert opened.status == 200
    assert (await api.post(f"/v1/customers/~{visitor}/erase", {})).status == 200
    again = await api.post(f"/v1/carts/{uuid4()}/open", {"anonymous_id": visitor})
    link = {"kind": "anonymous", "value": visitor}
    linked = await api.post(f"/v1/customers/customer-of-{uuid4()}/link-identity", link)
    assert {(answer.status, answer.code) for answer in (again, linked)} == {
        (410, "customer-erased")
    }
