"""Commands to carts, playbacks and subscriptions over HTTP, on a store in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from app.bootstrap.modules import module_routes
from app.catalogue import CODEC
from app.eventstore.execute import Executor
from app.eventstore.memory import InMemoryEventStore
from app.http.app import create_app
from app.http.metrics import Metrics
from app.security.commands import Commands
from tests.controls import playback
from tests.fixtures.access import OpenGate
from tests.fixtures.identities import InMemoryIdentities

pytestmark = pytest.mark.anyio

CART, PLAYED, SUBSCRIBED = "/v1/carts/1", "/v1/playbacks/1", "/v1/subscriptions/1"
ANNA = {"customer_id": "anna"}
VISITOR = {"anonymous_id": "visitor-7"}
SHOES = {"sku": "shoes", "quantity": 1, "unit_price": 8900, "currency": "EUR"}
DUNE = {**ANNA, "title_id": "dune-2", "device_id": "tv"}
REPORT = {"sequence": 1, "progress_s": 60}
TERMS = {
    **ANNA,
    "plan": "family",
    "price": 1299,
    "currency": "EUR",
    "time_zone": playback.ZONE,
}


@dataclass
class Api:
    """A client, and the log behind it."""

    http: httpx.AsyncClient
    store: InMemoryEventStore
    identities: InMemoryIdentities

    async def send(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post(path, json=body)

    async def log(self) -> list[tuple[str, str | None, Any]]:
        events = await self.store.read_log(after=0, limit=1000)
        return [(e.type, e.customer_id, msgspec.json.decode(e.data)) for e in events]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    store, identities = InMemoryEventStore(), InMemoryIdentities()
    commands = Commands(Executor(store, CODEC), b"secret")
    routes = module_routes(commands, lambda: playback.BEGAN_AT, store, identities, b"secret")
    app: Any = create_app(routes, version="0", metrics=Metrics(), gate=OpenGate())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Api(http, store, identities)


async def test_a_cart_is_filled_changed_and_checked_out_on_its_customers_timeline(
    api: Api,
) -> None:
    socks = {"sku": "socks", "quantity": 3, "unit_price": 450, "currency": "EUR"}
    for name, body in (
        ("open", ANNA),
        ("add-item", SHOES),
        ("add-item", socks),
        ("change-item", {"sku": "socks", "quantity": 2}),
        ("change-item", {"sku": "socks", "quantity": 2, "unit_price": 400}),
        ("remove-item", {"sku": "shoes"}),
        ("check-out", {}),
    ):
        assert (await api.send(f"{CART}/{name}", body)).status_code == 200
    log = await api.log()
    assert {customer_id for _, customer_id, _ in log} == {"anna"}
    assert [(kind, data) for kind, _, data in log] == [
        ("cart.opened", {"customer_id": "anna", "identity_id": None}),
        ("cart.item_added", SHOES),
        ("cart.item_added", socks),
        ("cart.item_changed", {"sku": "socks", "quantity": 2, "unit_price": 450}),
        ("cart.item_changed", {"sku": "socks", "quantity": 2, "unit_price": 400}),
        ("cart.item_removed", {"sku": "shoes"}),
        (
            "cart.checked_out",
            {
                "lines": [{**socks, "quantity": 2, "unit_price": 400}],
                "total": 800,
                "currency": "EUR",
            },
        ),
    ]


async def test_a_visitors_cart_knows_the_identity_that_a_link_would_name(api: Api) -> None:
    assert (await api.send(f"{CART}/open", VISITOR)).status_code == 200
    assert (await api.send(f"{CART}/add-item", SHOES)).status_code == 200
    identity_id = await api.identities.find("anonymous", "visitor-7")
    assert identity_id is not None
    [(_, opener, opened), (_, adder, _)] = await api.log()
    assert (opener, adder) == ("~visitor-7", "~visitor-7")
    assert opened == {"customer_id": "~visitor-7", "identity_id": str(identity_id)}


async def test_a_playback_is_reported_on_its_customers_timeline(api: Api) -> None:
    for name, body in (
        ("start", DUNE),
        ("report-progress", REPORT),
        ("pause", {"sequence": 2, "progress_s": 90}),
        ("resume", {"sequence": 3, "progress_s": 90}),
        ("report-buffering", {"sequence": 4, "progress_s": 120, "duration_ms": 2300}),
        ("interrupt", {"sequence": 5, "progress_s": 121, "reason": "network"}),
        ("pause", {"sequence": 2, "progress_s": 90}),
        ("finish", {"sequence": 6, "progress_s": 9600}),
    ):
        assert (await api.send(f"{PLAYED}/{name}", body)).status_code == 200
    log = await api.log()
    assert {customer_id for _, customer_id, _ in log} == {"anna"}
    assert [kind.removeprefix("playback.") for kind, _, _ in log] == [
        "started",
        "progressed",
        "paused",
        "resumed",
        "buffered",
        "interrupted",
        "finished",
    ]
    played = {"title_id": "dune-2", "device_id": "tv"}
    assert log[0][2] == {**DUNE, "progress_s": 0, "length_s": None}
    assert log[4][2] == {**played, "sequence": 4, "progress_s": 120, "duration_ms": 2300}
    assert log[5][2] == {**played, "sequence": 5, "progress_s": 121, "reason": "network"}


async def test_a_subscription_begins_by_the_stores_clock_and_is_cancelled_to_its_end(
    api: Api,
) -> None:
    for name, body in (("start", TERMS), ("cancel", {}), ("lapse", {})):
        assert (await api.send(f"{SUBSCRIBED}/{name}", body)).status_code == 200
    log = await api.log()
    assert {customer_id for _, customer_id, _ in log} == {"anna"}
    ends_at = "2028-02-29T11:00:00Z"
    assert [data for _, _, data in log] == [
        {**TERMS, "months": 1, "began_at": "2028-01-31T11:00:00Z", "ends_at": ends_at},
        {"plan": "family", "ends_at": ends_at},
        {"plan": "family", "reason": "unpaid"},
    ]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"{CART}/add-item", SHOES, "no-such-cart"),
        (f"{CART}/check-out", {}, "no-such-cart"),
        (f"{PLAYED}/pause", REPORT, "no-such-playback"),
        (f"{SUBSCRIBED}/cancel", {}, "no-such-subscription"),
    ],
)
async def test_what_does_not_exist_is_not_found(api: Api, path: str, body: Any, code: str) -> None:
    response = await api.send(path, body)
    assert response.status_code == 404
    assert response.json()["type"] == f"urn:tidings:problem:{code}"
    assert await api.log() == []


async def test_a_broken_rule_is_a_conflict(api: Api) -> None:
    await api.send(f"{CART}/open", ANNA)
    for path, body, code in (
        (f"{CART}/check-out", {}, "cart-empty"),
        (f"{CART}/open", VISITOR, "cart-taken"),
        (f"{CART}/change-item", {"sku": "shoes", "quantity": 1}, "not-in-cart"),
    ):
        response = await api.send(path, body)
        assert response.status_code == 409
        assert response.json()["type"] == f"urn:tidings:problem:{code}"
    assert len(await api.log()) == 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{CART}/open", {}, "customer_id"),
        (f"{CART}/open", {**ANNA, **VISITOR}, "anonymous_id"),
        (f"{CART}/open", {"customer_id": "~visitor-7"}, "customer_id"),
        (f"{CART}/open", {"anonymous_id": "a/b"}, "anonymous_id"),
        ("/v1/carts/%2e%2e/open", ANNA, "cart_id"),
        ("/v1/carts/a%3fb/check-out", {}, "cart_id"),
        (f"{CART}/check-out", {"a": 1}, "a"),
        (f"{CART}/add-item", {**SHOES, "sku": ""}, "sku"),
        (f"{CART}/add-item", {**SHOES, "quantity": 0}, "quantity"),
        (f"{CART}/add-item", {**SHOES, "quantity": 10_001}, "quantity"),
        (f"{CART}/add-item", {**SHOES, "unit_price": 12.5}, "unit_price"),
        (f"{CART}/add-item", {**SHOES, "unit_price": -1}, "unit_price"),
        (f"{CART}/add-item", {**SHOES, "currency": "euro"}, "currency"),
        (f"{CART}/add-item", {**SHOES, "currency": "EUR\n"}, "currency"),
        (f"{CART}/change-item", {"sku": "a", "quantity": 1, "unit_price": None}, "unit_price"),
        (f"{CART}/remove-item", {}, "sku"),
        (f"{PLAYED}/start", {**DUNE, "customer_id": "~v"}, "customer_id"),
        (f"{PLAYED}/start", {**DUNE, "device_id": ""}, "device_id"),
        ("/v1/playbacks/a%25/start", DUNE, "playback_id"),
        (f"{PLAYED}/pause", {**REPORT, "sequence": 0}, "sequence"),
        (f"{PLAYED}/pause", {**REPORT, "progress_s": -1}, "progress_s"),
        (f"{PLAYED}/report-buffering", REPORT, "duration_ms"),
        (f"{PLAYED}/interrupt", {**REPORT, "reason": ""}, "reason"),
        (f"{SUBSCRIBED}/start", {**TERMS, "months": 5}, "months"),
        (f"{SUBSCRIBED}/start", {**TERMS, "time_zone": "Mars/Olympus"}, "time_zone"),
        (f"{SUBSCRIBED}/start", {**TERMS, "price": 12.99}, "price"),
        ("/v1/subscriptions/a%25/cancel", {}, "subscription_id"),
    ],
)
async def test_bad_input_is_refused_by_field_and_nothing_recorded(
    api: Api, path: str, body: Any, field: str
) -> None:
    response = await api.send(path, body)
    assert response.status_code == 400, response.text
    assert response.json()["field"] == field
    assert await api.log() == []


async def test_the_commands_are_documented_with_an_example_each(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    for path, first in ((CART, "open"), (PLAYED, "start"), (SUBSCRIBED, "start")):
        kind = path.removesuffix("/1")
        routes = document["paths"].items()
        commands = sorted(p for p, route in routes if p.startswith(kind) and "post" in route)
        assert len(commands) >= 3
        for documented in sorted(commands, key=lambda p: not p.endswith(f"/{first}")):
            operation = document["paths"][documented]["post"]
            assert operation["summary"]
            assert operation["description"]
            example = operation["requestBody"]["content"]["application/json"]["example"]
            response = await api.send(f"{path}/{documented.rsplit('/', 1)[1]}", example)
            assert response.status_code in {200, 409}, response.text
