"""Following a timeline as it happens."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Api, until_async
from tests.fixtures.listener import DEADLINE_SECONDS, Listener

pytestmark = pytest.mark.anyio

EVENTS = 400
SEED = 4


def somebody() -> str:
    return f"customer-of-{uuid4()}"


def seen(customer_id: str, number: int = 0) -> dict[str, Any]:
    return {"type": "Seen", "customer_id": customer_id, "data": {"n": number}}


async def test_a_live_stream_begins_with_what_comes_next_and_shows_timeline_entries(
    api: Api,
) -> None:
    ann = somebody()
    await api.record(seen(ann))
    listener = Listener(api, ann)
    heard = asyncio.create_task(listener.take(2))
    await listener.connected.wait()
    await asyncio.sleep(0.2)  # the entry that was there before would have come by now
    await api.record(seen(ann, 1), seen(somebody()))
    await api.post(f"/v1/customers/{ann}/record-consent", {"channel": "email", "topic": "news"})
    entries = await heard
    assert [entry["title"] for entry in entries] == ["Seen", "Agreed to news by email"]
    assert [entry["kind"] for entry in entries] == ["activity", "customer"]
    where = f"min_position={entries[-1]['position']}"
    page = await api.read(f"/v1/customers/{ann}/timeline?limit=2&{where}")
    assert page["items"][::-1] == entries


async def test_a_live_stream_resumes_without_gap_or_repeat_while_events_are_sent(
    api: Api,
) -> None:
    """Of a customer and two visitors, whose events come in the same batches."""
    ann, rng = somebody(), random.Random(SEED)
    visitors = [str(uuid4()), str(uuid4())]
    for visitor in visitors:
        body = {"kind": "anonymous", "value": visitor}
        linked = await api.post(f"/v1/customers/{ann}/link-identity", body)
    start = linked.json()["position"]
    whose = [{"customer_id": ann}, *({"anonymous_id": visitor} for visitor in visitors)]

    async def send() -> None:
        left = EVENTS
        while left:
            batch = [
                {"type": "Seen", "data": {}, **rng.choice(whose)}
                for _ in range(min(left, rng.randint(1, 9)))
            ]
            left -= len(batch)
            await asyncio.gather(api.record(*batch), api.record(seen(somebody())))

    async def listen() -> list[int]:
        positions: list[int] = []
        while len(positions) < EVENTS:
            wanted = min(rng.randint(1, 60), EVENTS - len(positions))
            listener = Listener(api, ann, positions[-1] if positions else start)
            positions += [entry["position"] for entry in await listener.take(wanted)]
        return positions

    _, *heard = await asyncio.gather(send(), *(listen() for _ in range(4)))
    ids = {ann, *(f"~{visitor}" for visitor in visitors)}
    log = await api.log(start)
    for positions in heard:
        assert positions == [event["position"] for event in log if event["customer_id"] in ids]


async def test_a_visitors_events_join_the_live_stream_once_linked_and_leave_it(api: Api) -> None:
    ann, visitor = somebody(), str(uuid4())
    visit = {"type": "Viewed", "anonymous_id": visitor, "data": {}}
    link = {"kind": "anonymous", "value": visitor}
    listener = Listener(api, ann)
    heard = asyncio.create_task(listener.take(5))
    await listener.connected.wait()
    await api.record(visit)
    await api.post(f"/v1/customers/{ann}/link-identity", link)
    await api.record(visit, seen(ann))

    async def are_heard() -> bool:
        return len(listener.heard) == 3

    # A visitor who is unlinked before the stream has looked is nobody of hers.
    await until_async(are_heard, seconds=DEADLINE_SECONDS)
    await api.post(f"/v1/customers/{ann}/unlink-identity", link)
    await api.record(visit, seen(ann))
    entries = await heard
    assert [entry["title"] for entry in entries] == [
        "Linked an identity (anonymous)",
        "Viewed",
        "Seen",
        "Unlinked an identity (anonymous)",
        "Seen",
    ]


async def test_many_listeners_hear_the_same(api: Api) -> None:
    ann = somebody()
    listeners = [Listener(api, ann) for _ in range(30)]
    heard = [asyncio.create_task(listener.take(50)) for listener in listeners]
    await asyncio.gather(*(listener.connected.wait() for listener in listeners))
    for number in range(50):
        await api.record(seen(ann, number))
    for entries in await asyncio.gather(*heard):
        assert [entry["data"]["n"] for entry in entries] == list(range(50))
    assert {listener.connections for listener in listeners} == {1}


async def test_a_live_stream_cannot_begin_beyond_the_log(api: Api) -> None:
    answer = await api.get(f"/v1/customers/{somebody()}/timeline/live", Last_Event_ID=str(2**62))
    assert (answer.status, answer.code) == (400, "position-beyond-head")
    assert answer.problem["field"] == "Last-Event-ID"
