"""The queries over HTTP: what they answer, and what they refuse."""

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from app.eventstore.database import Database
from app.http.asgi import App
from app.http.openapi import openapi_document
from app.modules.customers.events import CustomerRegistered, IdentityLinked
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from tests.integration.projections.stage import CATALOGUE, Stage, of_customer, opened_stage, sent
from tests.integration.projections.visitors import identities_of, known_visitor
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio

SEARCHES = {
    "": ["ann", "ben"],
    "id_prefix=b": ["ben"],
    "id_prefix=~": ["~v1"],
    "trait=plan": ["ann"],
    "trait=plan&starts_with=pR": ["ann"],
    "trait=plan&starts_with=free": [],
    "identity=anonymous:v1": ["ann"],
    "identity=email:nobody@example.org": [],
    "identity=external:a:b": [],
}

BAD_INPUT = (
    ("ann/timeline?limit=0", "limit"),
    ("ann/timeline?limit=201", "limit"),
    ("ann/timeline?limit=many", "limit"),
    ("ann/timeline?cursor=abc", "cursor"),
    ("ann/timeline?cursor=" + "x" * 5000, "cursor"),
    ("ann/timeline?cursor=é", "cursor"),
    ("ann/timeline?cursor=WyIyMDI2LTExLTIyVDEyOjAwOjAwIiwxXQ", "cursor"),
    ("ann/timeline?cursor=WyIyMDI2LTExLTIyVDEyOjAwOjAwWiIsLTFd", "cursor"),
    ("ann/timeline?from=2026-11-22", "from"),
    ("ann/timeline?from=2026-11-22T12:00:00", "from"),
    ("ann/timeline?to=yesterday", "to"),
    ("ann/timeline?to=0001-01-01T00:00:00%2B01:00", "to"),
    ("ann/timeline?type=" + "x" * 201, "type"),
    ("ann/timeline?kind=" + "x" * 201, "kind"),
    ("ann/timeline?kinds=activity", "kinds"),
    ("ann/timeline?min_position=-1", "min_position"),
    ("ann/timeline?min_position=6", "min_position"),
    ("ann/timeline?min_position=" + "9" * 30, "min_position"),
    ("ann?min_position=6", "min_position"),
    ("?min_position=6", "min_position"),
    ("?identity=email:nobody@example.org&min_position=6", "min_position"),
    ("x" * 201, "customer_id"),
    (".." + quote("\u00e9" * 199), "customer_id"),
    ("?limit=201", "limit"),
    ("?cursor=WzFd", "cursor"),
    ("?identity=ann", "identity"),
    ("?identity=email", "identity"),
    ("?identity=email:", "identity"),
    ("?identity=fax:1", "identity"),
    ("?identity=email:ann&trait=plan", "trait"),
    ("?starts_with=x", "starts_with"),
    ("?trait=plan&starts_with=" + "x" * 101, "starts_with"),
    ("?trait=" + "x" * 101, "trait"),
    ("?id_prefix=" + "x" * 201, "id_prefix"),
)


def routes_of(stage: Stage) -> list[object]:
    return [
        *timeline_routes(Timelines(stage.models, CATALOGUE)),
        *customer_query_routes(Customers(stage.models), identities_of(stage)),
    ]


@pytest.fixture
async def app(database: Database) -> AsyncIterator[App]:
    """Ann and her visits, projected."""
    async with opened_stage(database) as stage, stage.projecting():
        visitor = await known_visitor(stage, "v1")
        await stage.record(
            of_customer("ann", CustomerRegistered({"plan": "Pro"}), minutes=1),
            of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=2),
            sent("ann", "Order placed", minutes=3, total=12.5),
            sent("~v1", minutes=-3),
            sent("ben"),
        )
        await stage.caught_up()
        yield app_of(*routes_of(stage))


async def all_items(app: App, target: str) -> list[object]:
    items: list[object] = []
    cursor: str | None = None
    while True:
        page = (await ask(app, "GET", target + (f"&cursor={cursor}" if cursor else ""))).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def test_a_timeline_is_read_page_by_page(app: App) -> None:
    answer = await ask(app, "GET", "/v1/customers/ann/timeline?limit=2&min_position=5")
    page = answer.json()
    assert answer.status == 200
    assert page["items"][0] | {"event_id": "", "recorded_at": ""} == {
        "position": 3,
        "event_id": "",
        "stream": "activity-ann",
        "version": 1,
        "type": "Order placed",
        "schema_version": 1,
        "customer_id": "ann",
        "data": {"total": 12.5},
        "metadata": {"source": "test"},
        "occurred_at": "2026-11-22T12:03:00Z",
        "recorded_at": "",
        "title": "Order placed",
        "kind": "activity",
    }
    rest = await ask(app, "GET", f"/v1/customers/ann/timeline?cursor={page['next_cursor']}")
    assert [item["position"] for item in rest.json()["items"]] == [1, 4]
    assert rest.json()["next_cursor"] is None


async def test_a_timeline_is_filtered(app: App) -> None:
    query = "kind=activity&type=Order%20placed&from=2026-11-22T13:03:00%2B01:00"
    answer = await ask(app, "GET", f"/v1/customers/ann/timeline?{query}&to=2026-11-22T12:04:00Z")
    assert [item["position"] for item in answer.json()["items"]] == [3]


async def test_a_customer_is_read_with_the_version_that_commands_expect(app: App) -> None:
    answer = await ask(app, "GET", "/v1/customers/ann")
    assert answer.headers["etag"] == '"2"'
    customer = answer.json()
    assert customer.pop("identities")[0].keys() == {"identity_id", "kind", "linked_at"}
    assert customer == {
        "customer_id": "ann",
        "version": 2,
        "registered_at": "2026-11-22T12:01:00Z",
        "first_seen": "2026-11-22T11:57:00Z",
        "last_seen": "2026-11-22T12:03:00Z",
        "events": 2,
        "traits": {"plan": "Pro"},
        "consents": [],
        "stale": False,
    }
    visitor = await ask(app, "GET", "/v1/customers/~v1")
    assert (visitor.json()["events"], visitor.headers["etag"]) == (1, '"0"')


async def test_customers_are_found_page_by_page(app: App) -> None:
    for query, expected in SEARCHES.items():
        answer = (await ask(app, "GET", f"/v1/customers?{query}")).json()
        assert [item["customer_id"] for item in answer["items"]] == expected, query
        assert answer["next_cursor"] is None
        assert await all_items(app, f"/v1/customers?{query}&limit=1") == answer["items"], query


async def test_bad_input_is_refused_by_its_field(app: App) -> None:
    for target, field in BAD_INPUT:
        slash = "" if target.startswith("?") else "/"
        answer = await ask(app, "GET", f"/v1/customers{slash}{quote(target, safe='/?&=%:')}")
        assert answer.status == 400, target
        assert answer.code in ("invalid-input", "position-beyond-head"), target
        assert answer.json()["field"] == field, target


async def test_what_no_text_can_hold_is_refused(app: App) -> None:
    for target in (
        "/ann%00/timeline",
        "/ann/timeline?type=%00",
        "?id_prefix=%00",
        "?trait=a&starts_with=%ED%A0%80",
    ):
        answer = await ask(app, "GET", f"/v1/customers{target}")
        assert (answer.status, answer.code) == (400, "invalid-input"), target


async def test_an_unknown_customer_is_not_found_and_its_timeline_empty(app: App) -> None:
    answer = await ask(app, "GET", "/v1/customers/nobody")
    assert (answer.status, answer.code) == (404, "not-found")
    assert (await ask(app, "GET", "/v1/customers/nobody/timeline")).json()["items"] == []


async def test_the_queries_are_documented_with_examples(stage: Stage) -> None:
    document = openapi_document(routes_of(stage), version="1")  # type: ignore[arg-type]
    for path in ("/v1/customers", "/v1/customers/{customer_id}"):
        operation = document["paths"][path]["get"]
        example = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert "Anna Berg" in json.dumps(example)
        assert operation["summary"]
