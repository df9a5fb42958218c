"""``POST /v1/events``, on a store in memory."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.eventstore.memory import InMemoryEventStore
from app.http.asgi import App
from app.kernel.event import EventCatalogue
from app.modules.customers.events import REGISTERED
from app.modules.interactions.incoming import MAX_EVENT_BYTES, Intake
from app.modules.interactions.routes import MAX_BATCH_EVENTS, EventsEndpoint, event_routes
from tests.fixtures.quarantine import MemoryQuarantine
from tests.unit.http.asking import Answer, app_of, ask, post

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
EVENT = {"type": "Product Added", "customer_id": "ann", "data": {"sku": "A-7"}}


@dataclass
class Api:
    app: App
    store: InMemoryEventStore

    async def send(self, body: Any, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await post(self.app, "/v1/events", raw, **headers)


@pytest.fixture
def api() -> Api:
    store = InMemoryEventStore()
    endpoint = endpoint_of(store)
    direct = {("POST", "/v1/events"): endpoint}
    return Api(app_of(*event_routes(endpoint), direct_routes=direct), store)


def endpoint_of(store: InMemoryEventStore) -> EventsEndpoint:
    catalogue = EventCatalogue(REGISTERED)
    intake = Intake(catalogue=catalogue, secret=b"s" * 32, clock=lambda: NOW)
    return EventsEndpoint(store, intake, MemoryQuarantine())


async def test_the_framework_knows_the_route_too() -> None:
    store = InMemoryEventStore()
    api = Api(app_of(*event_routes(endpoint_of(store))), store)

    assert (await api.send(EVENT)).status == 201
    assert (await api.send([EVENT, EVENT])).status == 200
    assert await store.head() == 3


async def test_an_event_is_recorded_on_its_customers_activity_stream(api: Api) -> None:
    sent = {**EVENT, "id": "e-1", "occurred_at": "2026-11-22T11:00:00+02:00"}
    answer = await api.send(sent, x_request_id="r-1", x_causation_id="c-1")

    assert answer.status == 201
    assert answer.json()["outcome"] == "recorded"
    (event,) = await api.store.read_stream("activity-ann")
    assert (event.position, event.version, event.type) == (1, 1, "Product Added")
    assert (event.customer_id, str(event.event_id)) == ("ann", answer.json()["event_id"])
    assert event.occurred_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert msgspec.json.decode(event.data) == {"sku": "A-7"}
    metadata = msgspec.json.decode(event.metadata)
    assert (metadata["source"], metadata["request_id"]) == ("default", "r-1")
    assert (metadata["correlation_id"], metadata["causation_id"]) == ("r-1", "c-1")


async def test_a_visitors_event_stands_under_an_id_that_no_customer_can_have(api: Api) -> None:
    await api.send({"type": "Page Viewed", "anonymous_id": "v-1", "data": {}})
    (event,) = await api.store.read_stream("activity-~v-1")
    assert event.customer_id == "~v-1"


async def test_an_event_sent_again_is_recorded_once(api: Api) -> None:
    first = await api.send({**EVENT, "id": "e-1"})
    again = await api.send({**EVENT, "id": "e-1"})

    assert (first.status, again.status) == (201, 200)
    assert again.json() == {**first.json(), "outcome": "repeated"}
    assert await api.store.head() == 1


async def test_an_id_used_for_another_event_is_refused(api: Api) -> None:
    await api.send({**EVENT, "id": "e-1"})
    answer = await api.send({**EVENT, "id": "e-1", "data": {"sku": "B-8"}})

    assert (answer.status, answer.code) == (422, "idempotency-conflict")
    assert await api.store.head() == 1


async def test_the_requests_key_makes_events_without_ids_repeatable(api: Api) -> None:
    first = await api.send([EVENT, EVENT], idempotency_key="k")
    again = await api.send([EVENT, EVENT], idempotency_key="k")

    assert [outcome["outcome"] for outcome in first.json()] == ["recorded", "recorded"]
    assert [outcome["outcome"] for outcome in again.json()] == ["repeated", "repeated"]
    assert await api.store.head() == 2


async def test_without_any_key_the_same_event_happens_twice(api: Api) -> None:
    assert [(await api.send(EVENT)).status for _ in range(2)] == [201, 201]
    assert await api.store.head() == 2


async def test_each_event_of_a_batch_has_its_own_outcome_in_order(api: Api) -> None:
    batch = [
        EVENT,
        {**EVENT, "type": "customer.registered"},
        {**EVENT, "id": "e-1"},
        {**EVENT, "id": "e-1"},
        {**EVENT, "id": "e-1", "data": {}},
        {"type": "X", "data": {}},
        {**EVENT, "customer_id": 7},
        EVENT,
    ]
    answer = await api.send(batch)

    assert answer.status == 200
    outcomes = answer.json()
    assert [outcome["outcome"] for outcome in outcomes] == [
        "recorded",
        "rejected",
        "recorded",
        "repeated",
        "rejected",
        "rejected",
        "rejected",
        "recorded",
    ]
    problems = {n: o["problem"] for n, o in enumerate(outcomes) if o["outcome"] == "rejected"}
    assert {n: (p["status"], p["field"]) for n, p in problems.items()} == {
        1: (400, "[1].type"),
        4: (422, "[4]"),
        5: (400, "[5].customer_id"),
        6: (400, "[6].customer_id"),
    }
    assert [outcome.get("position") for outcome in outcomes if "position" in outcome] == [
        1,
        2,
        2,
        3,
    ]


async def test_one_unfit_event_of_a_batch_hurts_no_other(api: Api) -> None:
    unfit = [rb'{"a":"\u0000"}', b"[" * 100 + b"]" * 100, b'{"n":1e400}', b'{"$tidings":1}']
    events = [b'{"type":"X","customer_id":"a","data":%b}' % data for data in unfit]
    answer = await api.send(b"[%b, %b]" % (b",".join(events), msgspec.json.encode(EVENT)))

    assert [outcome["outcome"] for outcome in answer.json()] == [*["rejected"] * 4, "recorded"]


async def test_an_empty_batch_has_no_outcomes(api: Api) -> None:
    answer = await api.send([])
    assert (answer.status, answer.json()) == (200, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": ""}, "type"),
        ({"type": "x" * 201}, "type"),
        ({"type": "a\tb"}, "type"),
        ({"type": "customer.registered"}, "type"),
        ({"type": "identity.anything"}, "type"),
        ({"type": "tidings.x"}, "type"),
        ({"type": None}, "type"),
        ({"data": []}, "data"),
        ({"data": None}, "data"),
        ({"data": "text"}, "data"),
        ({"data": {"a": [{"$tidings_enc": 1}]}}, "data"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "~ann"}, "customer_id"),
        ({"customer_id": "a/b"}, "customer_id"),
        ({"customer_id": ".."}, "customer_id"),
        ({"customer_id": "x" * 201}, "customer_id"),
        ({"customer_id": "a\nb"}, "customer_id"),
        ({"anonymous_id": "v"}, "anonymous_id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"occurred_at": "2026-11-22T09:30:00"}, "occurred_at"),
        ({"occurred_at": "2026-11-23T09:30:01Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 1700000000}, "occurred_at"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_a_bad_field_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    answer = await api.send({**EVENT, **change})
    assert (answer.status, answer.code) == (400, "invalid-input")
    assert answer.json()["field"] == field
    assert await api.store.head() == 0


@pytest.mark.parametrize("field", ["type", "data", "customer_id"])
async def test_a_missing_field_is_named(api: Api, field: str) -> None:
    answer = await api.send({name: value for name, value in EVENT.items() if name != field})
    assert (answer.status, answer.json()["field"]) == (400, field)


async def test_a_reserved_key_is_found_however_it_is_spelt(api: Api) -> None:
    for key in (b"$tidings", rb"\u0024tidings", rb"$t\u0069dings_x"):
        body = b'{"type":"X","customer_id":"a","data":{"%b":1}}' % key
        assert (await api.send(body)).json()["field"] == "data"
    harmless = rb'{"type":"X","customer_id":"a","data":{"$browser":"\u00e9","x":"$tidings"}}'
    assert (await api.send(harmless)).status == 201


async def test_a_day_ahead_is_the_furthest_that_an_event_may_lie(api: Api) -> None:
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    assert (await api.send({**EVENT, "occurred_at": tomorrow})).status == 201


async def test_sizes_are_bounded(api: Api) -> None:
    def padded(size_bytes: int) -> bytes:
        empty = msgspec.json.encode({**EVENT, "data": {"pad": ""}})
        return empty.replace(b'"pad":""', b'"pad":"%b"' % (b"x" * (size_bytes - len(empty))))

    assert (await api.send(padded(MAX_EVENT_BYTES))).status == 201
    too_large = await api.send(padded(MAX_EVENT_BYTES + 1))
    assert (too_large.status, too_large.code) == (413, "input-too-large")
    mixed = await api.send(b"[%b,%b]" % (padded(MAX_EVENT_BYTES + 1), padded(500)))
    assert [outcome["outcome"] for outcome in mixed.json()] == ["rejected", "recorded"]

    assert (await api.send([EVENT] * MAX_BATCH_EVENTS)).status == 200
    assert (await api.send([EVENT] * (MAX_BATCH_EVENTS + 1))).status == 413


async def test_bodies_that_are_no_events_are_refused_whole(api: Api) -> None:
    for body in (
        b"",
        b"{",
        b"[",
        b"7",
        b'"x"',
        b"null",
        b"[{},",
        b'{"a":NaN}',
        b"\xff\xfe",
        b"[\xff]",
    ):
        answer = await api.send(body)
        assert 400 <= answer.status < 500 or answer.json()[0]["outcome"] == "rejected", body
    assert (await api.send(EVENT, content_type="text/plain")).status == 415
    assert (await ask(api.app, "PUT", "/v1/events")).status == 405
    assert await api.store.head() == 0
