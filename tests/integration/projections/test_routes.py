"""The queries over HTTP: what they answer, and what they refuse."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from litestar.handlers import HTTPRouteHandler

from app.catalogue import CATALOGUE
from app.eventstore.database import Database
from app.http.asgi import App
from app.http.openapi import openapi_document
from app.modules.customers.events import CustomerRegistered, IdentityLinked
from projections.activity_counts.queries import ActivityCounts
from projections.activity_counts.routes import activity_count_routes
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.diff.queries import Diffs
from projections.diff.routes import diff_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from projections.visits.queries import Visits
from projections.visits.routes import visit_routes
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import Stage, of_customer, opened_stage, sent
from tests.integration.projections.visitors import identities_of, known_visitor
from tests.unit.http.asking import app_of, ask

pytestmark = [pytest.mark.anyio, on_one_server]

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
    ("ann/visits?cursor=abc", "cursor"),
    ("ann/visits?cursor=WyIyMDI2LTExLTIyVDEyOjAwOjAwIl0", "cursor"),  # a time without an offset
    ("ann/visits?limit=0", "limit"),
    ("ann/visits?from=2026-11-22", "from"),
    ("ann/visits?min_position=6", "min_position"),
    ("x" * 201 + "/visits", "customer_id"),
    ("ann?min_position=6", "min_position"),
    ("?min_position=6", "min_position"),
    ("?identity=email:nobody@example.org&min_position=6", "min_position"),
    ("ann?as_of=", "as_of"),
    ("ann?as_of=6", "as_of"),
    ("ann?as_of=" + "9" * 19, "as_of"),
    ("ann?as_of=" + "9" * 5000, "as_of"),
    ("ann?as_of=-1", "as_of"),
    ("ann?as_of=1.0", "as_of"),
    ("ann?as_of=٣", "as_of"),
    ("ann?as_of=yesterday", "as_of"),
    ("ann?as_of=2026-11-22T12:00:00", "as_of"),
    ("ann?as_of=1&min_position=1", "as_of"),
    ("ann/timeline?as_of=6", "as_of"),
    ("ann/timeline?as_of=yesterday", "as_of"),
    ("ann/timeline?as_of=1&min_position=1", "as_of"),
    ("ann/timeline?as_of=1&cursor=abc", "cursor"),
    ("?as_of=1", "as_of"),
    ("ann/diff?from=1", "to"),
    ("ann/diff?to=1", "from"),
    ("ann/diff?from=x&to=1", "from"),
    ("ann/diff?from=1&to=x", "to"),
    ("ann/diff?from=6&to=6", "from"),
    ("ann/diff?from=1&to=6", "to"),
    ("ann/diff?from=2&to=1", "from"),
    ("x" * 201, "customer_id"),
    ("x" * 201 + "?as_of=1", "customer_id"),
    ("x" * 201 + "/timeline?as_of=1", "customer_id"),
    ("x" * 201 + "/diff?from=1&to=1", "customer_id"),
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

BAD_COUNTS = (
    ("from=yesterday", "from"),
    ("from=2026-11-22T12:00:00Z", "from"),
    ("from=2026-11-31", "from"),
    ("from=0000-01-01", "from"),
    ("from=", "from"),
    ("to=20261122", "to"),
    ("to=10000-01-01", "to"),
    ("type=" + "x" * 201, "type"),
    ("kind=" + "x" * 201, "kind"),
    ("day=2026-11-22", "day"),
    ("limit=201", "limit"),
    ("cursor=abc", "cursor"),
    ("cursor=WyJ4IiwiYSIsImIiXQ", "cursor"),  # ["x","a","b"]
    ("cursor=WyIyMDI2LTExLTIyIiwiXHUwMDAwIiwiYiJd", "cursor"),  # ["2026-11-22","\u0000","b"]
    ("min_position=6", "min_position"),
)


def routes_of(stage: Stage) -> list[HTTPRouteHandler]:
    customers, timelines = Customers(stage.models), Timelines(stage.models, CATALOGUE)
    return [
        *timeline_routes(timelines, stage.past),
        *customer_query_routes(customers, identities_of(stage), stage.past),
        *diff_routes(Diffs(stage.past, customers, timelines)),
        *visit_routes(Visits(stage.models)),
        *activity_count_routes(ActivityCounts(stage.models)),
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


async def all_items(app: App, target: str) -> list[Any]:
    items: list[Any] = []
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


async def test_the_past_is_read_page_by_page_and_filtered(app: App) -> None:
    timeline = "/v1/customers/ann/timeline"
    items = await all_items(app, f"{timeline}?as_of=4&limit=1")
    assert [item["position"] for item in items] == [3, 2, 1, 4]
    assert await all_items(app, f"{timeline}?as_of=4") == items
    assert await all_items(app, f"{timeline}?as_of=4&kind=activity") == [items[0], items[3]]
    assert await all_items(app, f"{timeline}?as_of=1&limit=1") == [items[2]]
    assert await all_items(app, f"{timeline}?as_of=2000-01-01T00:00:00%2B01:00") == []


async def test_a_customer_is_read_as_it_was(app: App) -> None:
    answer = await ask(app, "GET", "/v1/customers/ann?as_of=1")
    assert (answer.json()["version"], answer.json()["identities"]) == (1, [])
    assert "etag" not in answer.headers
    now = await ask(app, "GET", "/v1/customers/ann")
    assert (await ask(app, "GET", "/v1/customers/ann?as_of=5")).json() == now.json()
    nobody = await ask(app, "GET", "/v1/customers/ann?as_of=0")
    assert (nobody.status, nobody.code) == (404, "not-found")


async def test_a_moment_that_is_none_is_told_what_one_is(app: App) -> None:
    for target in ("ann?as_of=-1", "ann/diff?from=soon&to=5"):
        detail = (await ask(app, "GET", f"/v1/customers/{target}")).json()["detail"]
        assert "a position of the log, or a time" in detail, target


async def test_two_pasts_are_compared(app: App) -> None:
    answer = (await ask(app, "GET", "/v1/customers/ann/diff?from=2&to=3")).json()
    assert [entry["position"] for entry in answer.pop("entries")] == [3]
    assert answer == {
        "from": 2,
        "to": 3,
        "changes": [
            {"path": "first_seen", "after": "2026-11-22T12:03:00Z"},
            {"path": "last_seen", "after": "2026-11-22T12:03:00Z"},
            {"path": "events", "before": 0, "after": 1},
        ],
        "has_more_entries": False,
        "stale": False,
    }


async def test_customers_are_found_page_by_page(app: App) -> None:
    for query, expected in SEARCHES.items():
        answer = (await ask(app, "GET", f"/v1/customers?{query}")).json()
        assert [item["customer_id"] for item in answer["items"]] == expected, query
        assert answer["next_cursor"] is None
        assert await all_items(app, f"/v1/customers?{query}&limit=1") == answer["items"], query


async def test_visits_are_read_page_by_page(app: App) -> None:
    answer = await ask(app, "GET", "/v1/customers/ann/visits?min_position=5")
    assert answer.status == 200
    assert answer.json() == {
        "items": [
            {
                "customer_id": "ann",
                "started_at": "2026-11-22T12:03:00Z",
                "ended_at": "2026-11-22T12:03:00Z",
                "duration_s": 0.0,
                "events": 1,
                "entry": "Order placed",
                "exit": "Order placed",
            }
        ],
        "next_cursor": None,
        "stale": False,
    }
    assert (await ask(app, "GET", "/v1/customers/nobody/visits")).json()["items"] == []


async def test_events_are_counted_for_charts(app: App) -> None:
    target = "/v1/activity-counts?from=2026-11-22&to=2026-11-23&kind=activity&min_position=5"
    answer = await ask(app, "GET", target)
    counts = [
        {"day": "2026-11-22", "type": "Order placed", "kind": "activity", "count": 1},
        {"day": "2026-11-22", "type": "Product Added", "kind": "activity", "count": 2},
    ]
    assert answer.json() == {"items": counts, "next_cursor": None}
    assert await all_items(app, f"{target}&limit=1") == counts
    ordered = await ask(app, "GET", "/v1/activity-counts?type=Order%20placed")
    assert ordered.json()["items"] == counts[:1]


async def test_bad_input_for_counts_is_refused_by_its_field(app: App) -> None:
    for query, field in BAD_COUNTS:
        answer = await ask(app, "GET", f"/v1/activity-counts?{query}")
        assert answer.status == 400, query
        assert answer.json()["field"] == field, query


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
    document = openapi_document(routes_of(stage), version="1")
    diff = document["paths"]["/v1/customers/{customer_id}/diff"]["get"]["responses"]["200"]
    compared = diff["content"]["application/json"]["example"]
    assert compared.keys() == {
        "from", "to", "changes", "entries", "has_more_entries", "stale",
    }  # fmt: skip
    assert compared["changes"] == [{"path": "traits.plan", "before": "free", "after": "pro"}]
    for path in ("/v1/customers", "/v1/customers/{customer_id}"):
        operation = document["paths"][path]["get"]
        example = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert "Anna Berg" in json.dumps(example)
        assert operation["summary"]
    for path in ("/v1/customers/{customer_id}/visits", "/v1/activity-counts"):
        operation = document["paths"][path]["get"]
        example = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert not {"text", None} & set(example["items"][0].values())
