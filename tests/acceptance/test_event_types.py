"""Types of events, declared by their users; with two workers that must agree."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Answer, Api, until_async

pytestmark = pytest.mark.anyio

KNOWN_WITHIN_S = 5
TIMES = 20


@pytest.fixture
def event_type() -> str:
    """A type of the test's own."""
    return f"Order Placed {uuid4()}"


async def declare(api: Api, event_type: str, **declaration: Any) -> Answer:
    path = f"/v1/event-types/{event_type.replace(' ', '%20')}"
    return await api.send("PUT", path, declaration)


def order(event_type: str, ann: str, **data: Any) -> dict[str, Any]:
    return {"type": event_type, "customer_id": ann, "data": data}


NUMBER = {"properties": {"n": {"type": "number"}}}


async def test_every_worker_goes_by_a_declaration_within_seconds(api: Api, event_type: str) -> None:
    declared = await declare(api, event_type, schema=NUMBER)
    assert declared.status == 200
    assert declared.headers["etag"] == '"1"'
    assert declared.json()["events"][0]["type"] == "event_type.declared"

    async def is_known() -> bool:
        sent = [api.post("/v1/events", order(event_type, "ann", n="x")) for _ in range(TIMES)]
        return {answer.status for answer in await asyncio.gather(*sent)} == {202}

    await until_async(is_known, seconds=KNOWN_WITHIN_S)


async def test_a_declared_type_is_read_and_replaced_by_version(api: Api, event_type: str) -> None:
    path = f"/v1/event-types/{event_type.replace(' ', '%20')}"
    said = {"schema": NUMBER, "title": "Order {n}", "kind": "order", "sensitive": ["note"]}
    await declare(api, event_type, **said)

    async def is_known() -> bool:
        return {(await api.get(path)).status for _ in range(TIMES)} == {200}

    await until_async(is_known, seconds=KNOWN_WITHIN_S)
    read = await api.get(path)
    assert read.headers["etag"] == '"1"'
    assert {name: read.json()[name] for name in said} == said
    assert event_type in [one["type"] for one in (await api.read("/v1/event-types"))["items"]]
    stale = await api.send("PUT", path, said, If_Match='"7"')
    assert (stale.status, stale.code) == (412, "wrong-expected-version")
    assert (await api.send("PUT", path, {}, If_Match='"1"')).headers["etag"] == '"2"'
    same = await api.send("PUT", path, {})
    assert (same.json()["events"], same.headers["etag"]) == ([], '"2"')


@pytest.mark.parametrize(
    ("declaration", "field"),
    [
        ({"schema": {"properties": {"n": {"type": "numbr"}}}}, "schema.properties.n.type"),
        ({"schema": {"$ref": "https://example.org/"}}, "schema.$ref"),
        ({"schema": []}, "schema"),
        ({"title": ""}, "title"),
        ({"title": "Order {order id}"}, "title"),
        ({"title": "Order\n"}, "title"),
        ({"kind": "Order"}, "kind"),
        ({"sensitive": ["a", ""]}, "sensitive[1]"),
        ({"sensitive": ["a"] * 101}, "sensitive"),
        ({"templat": "x"}, "templat"),
    ],
)
async def test_a_bad_declaration_is_refused_with_the_path(
    api: Api, event_type: str, declaration: Any, field: str
) -> None:
    refused = await declare(api, event_type, **declaration)
    assert (refused.status, refused.problem["field"]) == (400, field)


@pytest.mark.parametrize("event_type", ["customer.registered", "tidings.x", "a%2Fb"])
async def test_built_in_types_are_not_declared(api: Api, event_type: str) -> None:
    assert (await declare(api, event_type)).status in {400, 404}


async def test_what_was_never_declared_is_not_found(api: Api) -> None:
    assert (await api.get(f"/v1/event-types/{uuid4()}")).status == 404


async def test_an_event_is_quarantined_replayed_and_stands_on_the_timeline(
    api: Api, event_type: str
) -> None:
    ann = f"customer-of-{uuid4()}"
    await declare(api, event_type, schema=NUMBER)

    async def is_known() -> bool:
        outcomes = await asyncio.gather(
            *(api.record(order(event_type, "nobody", n="x")) for _ in range(TIMES))
        )
        return {outcome["outcome"] for [outcome] in outcomes} == {"quarantined"}

    await until_async(is_known, seconds=KNOWN_WITHIN_S)
    [outcome] = await api.record(order(event_type, ann, n="A-7"))
    query = f"/v1/quarantine?type={event_type.replace(' ', '%20')}"
    kept = await api.all_items("/v1/quarantine", type=event_type.replace(" ", "%20"), limit=20)
    assert kept[-1]["event_id"] == outcome["event_id"]
    await declare(
        api, event_type, schema={"type": "object"}, title="Placed order {n}", kind="order"
    )

    async def is_replayed() -> bool:
        done = await api.post("/v1/quarantine/replay", {"type": event_type})
        assert done.status == 200
        items: list[Any] = (await api.read(query))["items"]
        return not items

    await until_async(is_replayed, seconds=KNOWN_WITHIN_S)
    [event] = (await api.read(f"/v1/streams/activity-{ann}"))["items"]
    assert event["event_id"] == outcome["event_id"]

    async def is_shown() -> bool:
        page = await api.read(
            f"/v1/customers/{ann}/timeline?kind=order&min_position={event['position']}"
        )
        return [(e["title"], e["kind"]) for e in page["items"]] == [("Placed order A-7", "order")]

    await until_async(is_shown, seconds=KNOWN_WITHIN_S)
    metrics = (await api.get("/metrics")).body.decode()
    assert "tidings_events_quarantined_total" in metrics
