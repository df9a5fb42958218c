"""Sending events: one, a batch, again, and again at once."""

import asyncio
import json
from uuid import uuid4

import pytest

from tests.fixtures.api import Answer, Api

pytestmark = pytest.mark.anyio

TIMES = 20


def somebody() -> str:
    return f"customer-of-{uuid4()}"


def same_but_repeated(answers: list[Answer]) -> None:
    """One request had the effect; the others got the same answer, and say that it is a repeat."""
    bodies = [answer.json() for answer in answers]
    firsts = [body for body in bodies if body.get("outcome") == "recorded"]
    assert len(firsts) == 1
    for body in bodies:
        assert body == firsts[0] | {"outcome": body["outcome"]}
    assert sorted(answer.status for answer in answers) == [200] * (TIMES - 1) + [201]


async def test_an_event_is_recorded_and_stands_on_the_timeline(api: Api) -> None:
    ann = somebody()
    sent = {
        "type": "Product Added",
        "customer_id": ann,
        "occurred_at": "2026-02-03T04:05:06.789+01:00",
        "data": {"sku": "A-7", "price": 12.5, "größe": "Ü", "tags": [1, None, True]},
    }
    answer = await api.post("/v1/events", sent)
    assert answer.status == 201
    outcome = answer.json()
    assert outcome["outcome"] == "recorded"
    assert (outcome["stream"], outcome["version"]) == (f"activity-{ann}", 1)
    [entry] = (await api.read(f"/v1/customers/{ann}/timeline?min_position={outcome['position']}"))[
        "items"
    ]
    assert entry["position"] == outcome["position"]
    assert entry["event_id"] == outcome["event_id"]
    assert (entry["type"], entry["title"], entry["kind"]) == (
        sent["type"],
        sent["type"],
        "activity",
    )
    assert entry["data"] == sent["data"]
    assert entry["occurred_at"] == "2026-02-03T03:05:06.789000Z"
    assert entry["occurred_at"] < entry["recorded_at"]
    [event] = (await api.read(f"/v1/streams/activity-{ann}"))["items"]
    [logged] = await api.log(outcome["position"] - 1)
    assert logged == event == {k: v for k, v in entry.items() if k not in {"title", "kind"}}


async def test_a_batch_is_answered_event_by_event_and_the_good_ones_stay(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    good = {"type": "Paid", "customer_id": ann, "data": {}}
    first = {**good, "id": key}
    outcomes = await api.record(
        first,
        {**good, "type": "customer.registered"},
        first,
        {"type": "Paid", "data": {}},
        {**first, "data": {"other": 1}},
        {**good, "occurred_at": "2026-01-01T00:00:00"},
        good,
    )
    assert [outcome["outcome"] for outcome in outcomes] == [
        "recorded", "rejected", "repeated", "rejected", "rejected", "rejected", "recorded",
    ]  # fmt: skip
    assert outcomes[2] == outcomes[0] | {"outcome": "repeated"}
    assert [outcome["problem"]["field"] for outcome in outcomes if "problem" in outcome] == [
        "[1].type", "[3].customer_id", "[4]", "[5].occurred_at",
    ]  # fmt: skip
    assert outcomes[4]["problem"]["status"] == 422
    events = (await api.read(f"/v1/streams/activity-{ann}"))["items"]
    assert [event["version"] for event in events] == [1, 2]
    assert [event["position"] for event in events] == [
        outcomes[0]["position"],
        outcomes[6]["position"],
    ]


async def test_an_empty_batch_has_no_outcomes(api: Api) -> None:
    assert await api.record() == []


async def test_an_event_with_an_id_sent_twenty_times_at_once_is_recorded_once(api: Api) -> None:
    ann = somebody()
    event = {"id": str(uuid4()), "type": "Paid", "customer_id": ann, "data": {"amount": 3}}
    same_but_repeated(await asyncio.gather(*(api.post("/v1/events", event) for _ in range(TIMES))))
    assert len((await api.read(f"/v1/streams/activity-{ann}"))["items"]) == 1
    other = await api.post("/v1/events", {**event, "data": {"amount": 4}})
    assert other.status == 422
    assert other.code == "idempotency-conflict"


async def test_a_request_with_a_key_sent_twenty_times_at_once_has_one_effect(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    event = {"type": "Paid", "customer_id": ann, "data": {"amount": 3}}
    same_but_repeated(
        await asyncio.gather(
            *(api.post("/v1/events", event, Idempotency_Key=key) for _ in range(TIMES))
        )
    )
    assert len((await api.read(f"/v1/streams/activity-{ann}"))["items"]) == 1
    other = await api.post("/v1/events", {**event, "type": "Refunded"}, Idempotency_Key=key)
    assert other.code == "idempotency-conflict"


async def test_a_batch_with_a_key_sent_twenty_times_at_once_has_one_effect(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    batch = [{"type": "Paid", "customer_id": ann, "data": {"n": n}} for n in range(5)]
    answers = await asyncio.gather(
        *(api.post("/v1/events", batch, Idempotency_Key=key) for _ in range(TIMES))
    )
    places = {
        json.dumps([{**outcome, "outcome": ""} for outcome in answer.json()]) for answer in answers
    }
    assert len(places) == 1
    for number in range(len(batch)):
        said = sorted(answer.json()[number]["outcome"] for answer in answers)
        assert said == ["recorded"] + ["repeated"] * (TIMES - 1)
    events = (await api.read(f"/v1/streams/activity-{ann}"))["items"]
    assert [event["data"]["n"] for event in events] == [0, 1, 2, 3, 4]


async def test_an_id_and_a_key_of_the_same_text_are_two_things(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    event = {"type": "Paid", "customer_id": ann, "data": {}}
    by_id = await api.post("/v1/events", {**event, "id": key})
    by_key = await api.post("/v1/events", event, Idempotency_Key=key)
    assert by_id.status == by_key.status == 201


async def test_concurrent_events_of_one_customer_get_dense_versions(api: Api) -> None:
    ann = somebody()
    event = {"type": "Paid", "customer_id": ann, "data": {}}
    answers = await asyncio.gather(
        *(api.post("/v1/events", event if n % 3 else [event, event]) for n in range(60))
    )
    assert {answer.status for answer in answers} <= {200, 201}
    versions = [
        event["version"] for event in await api.all_items(f"/v1/streams/activity-{ann}", limit=7)
    ]
    assert versions == list(range(1, 81))
