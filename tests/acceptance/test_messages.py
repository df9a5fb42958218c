"""Messages from request to inbox, as services and customers see them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from app.kernel.cipher import MASK
from app.modules.messages.routes import MAX_TEXT_CHARACTERS
from tests.acceptance.test_keys import bearer
from tests.fixtures.api import Answer, Api

pytestmark = pytest.mark.anyio

TEXT = "Your order 42 is on its way."
DEADLINE_SECONDS = 30


def somebody() -> str:
    return f"customer-of-{secrets.token_hex(8)}"


async def request(api: Api, customer_id: str, text: str | None = TEXT, **more: object) -> str:
    """Request a message; its id."""
    message_id = f"order:{secrets.token_hex(8)}"
    body = {"customer_id": customer_id, "kind": "order-confirmed", "text": text, **more}
    answer = await api.post(f"/v1/messages/{message_id}/request", body)
    assert answer.status == 200, answer
    return message_id


async def mark_read(api: Api, customer_id: str, message_id: str, **headers: str) -> Answer:
    return await api.send("POST", f"/v1/customers/{customer_id}/inbox/{message_id}/read", **headers)


async def inbox(api: Api, customer_id: str, query: str = "", **headers: str) -> Any:
    """What the inbox is, when it has come to the end of the log."""
    head = (await api.log())[-1]["position"]
    target = f"/v1/customers/{customer_id}/inbox?min_position={head}{query}"
    answer = await api.get(target, **headers)
    assert answer.status == 200, answer
    return answer.json()


async def key_with(api: Api, *scopes: str) -> dict[str, str]:
    """The header of a new key."""
    asked = {"name": f"inbox {secrets.token_hex(4)}", "scopes": scopes}
    return bearer((await api.post("/v1/keys", asked)).json()["key"])


async def heard(
    api: Api, customer_id: str, count: int, connected: asyncio.Event, **headers: str
) -> list[tuple[int, str, Any]]:
    """Id, name and data of the next events of a live inbox."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{api.url}/v1/customers/{customer_id}/inbox/live"
    events: list[tuple[int, str, Any]] = []
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        api.session.get(url, headers=sent) as response,
    ):
        assert response.status == 200, await response.text()
        async for fields in _events(response.content, connected):
            events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
            if len(events) == count:
                break
    return events


async def _events(
    lines: aiohttp.StreamReader, connected: asyncio.Event
) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in lines:
        connected.set()
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields
            fields = {}


async def test_a_message_is_in_the_inbox_until_it_is_read_and_afterwards(api: Api) -> None:
    ann = somebody()
    first = await request(api, ann)
    second = await request(api, ann, "Was it you?", kind="fraud", priority="high")
    page = await inbox(api, ann)
    assert [(m["message_id"], m["kind"], m["text"], m["priority"]) for m in page["items"]] == [
        (second, "fraud", "Was it you?", "high"),
        (first, "order-confirmed", TEXT, "normal"),
    ]
    assert (page["unread"], page["stale"], page["next_cursor"]) == (2, False, None)

    assert [event["type"] for event in (await mark_read(api, ann, first)).json()["events"]] == [
        "message.read"
    ]
    page = await inbox(api, ann)
    assert page["unread"] == 1
    assert [message["read_at"] is None for message in page["items"]] == [True, False]
    unread = await inbox(api, ann, "&unread=true")
    assert [message["message_id"] for message in unread["items"]] == [second]


async def test_what_happens_to_messages_is_on_the_timeline(api: Api) -> None:
    ann = somebody()
    read = await mark_read(api, ann, await request(api, ann))
    where = f"min_position={read.json()['position']}"
    entries = (await api.read(f"/v1/customers/{ann}/timeline?{where}"))["items"]
    assert [entry["title"] for entry in entries] == ["Read a message", f"Message: {TEXT}"]
    assert {entry["kind"] for entry in entries} == {"message"}


async def test_a_message_requested_or_read_again_is_nothing_to_do(api: Api) -> None:
    ann = somebody()
    message_id = await request(api, ann)
    body = {"customer_id": ann, "kind": "other", "text": "Something else"}
    again = await api.post(f"/v1/messages/{message_id}/request", body)
    assert (again.status, again.json()["events"]) == (200, [])
    for expected in (1, 0):
        read = await mark_read(api, ann, message_id)
        assert (read.status, len(read.json()["events"])) == (200, expected)
    [message] = (await inbox(api, ann))["items"]
    assert message["text"] == TEXT


async def test_what_is_no_message_of_the_customers_is_not_found(api: Api) -> None:
    ann, ben = somebody(), somebody()
    message_id = await request(api, ann)
    for customer_id, asked in ((ben, message_id), (ann, "nothing-of-the-kind")):
        answer = await mark_read(api, customer_id, asked)
        assert (answer.status, answer.code) == (404, "no-such-message")
    assert (await inbox(api, ann))["unread"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer_id": "~visitor"}, "customer_id"),
        ({"customer_id": ""}, "customer_id"),
        ({"kind": "Order confirmed"}, "kind"),
        ({"kind": "order\n"}, "kind"),
        ({"text": ""}, "text"),
        ({"text": "x" * (MAX_TEXT_CHARACTERS + 1)}, "text"),
        ({"priority": "urgent"}, "priority"),
        ({"channel": "email"}, "channel"),
    ],
)
async def test_a_bad_request_is_refused_by_its_field(
    api: Api, changes: dict[str, str], field: str
) -> None:
    body = {"customer_id": somebody(), "kind": "news", "text": TEXT} | changes
    answer = await api.post("/v1/messages/m-1/request", body)
    assert (answer.status, answer.code, answer.problem["field"]) == (400, "invalid-input", field)


async def test_a_customer_reads_the_own_inbox_follows_it_and_marks_messages_as_read(
    api: Api,
) -> None:
    ann, ben = somebody(), somebody()
    token = bearer((await api.post(f"/v1/customers/{ann}/tokens", {})).json()["token"])
    connected = asyncio.Event()
    live = asyncio.create_task(heard(api, ann, 2, connected, **token))
    await connected.wait()
    await request(api, ben)
    message_id = await request(api, ann)
    [message] = (await inbox(api, ann, **token))["items"]
    assert message["text"] == TEXT
    read = await mark_read(api, ann, message_id, **token)
    [event] = (await api.read(f"/v1/streams/message-{message_id}"))["items"][1:]
    assert event["metadata"]["actor"] == f"customer:{ann}"
    assert await live == [
        (message["position"], "message", message),
        (
            read.json()["position"],
            "read",
            {
                "message_id": message_id,
                "position": read.json()["position"],
                "read_at": event["occurred_at"],
            },
        ),
    ]
    of_ben = await request(api, ben)
    assert (await mark_read(api, ben, of_ben, **token)).status == 403
    assert (await mark_read(api, ann, of_ben, **token)).status == 404


async def test_a_live_inbox_resumes_without_gap_or_repeat(api: Api) -> None:
    ann = somebody()
    ids = [await request(api, ann, f"Message {number}") for number in range(6)]
    await api.record({"type": "Seen", "customer_id": ann, "data": {}})
    newest_first = (await inbox(api, ann))["items"]
    positions = [message["position"] for message in reversed(newest_first)]
    events = await heard(api, ann, 4, asyncio.Event(), Last_Event_ID=str(positions[1]))
    assert [event[0] for event in events] == positions[2:]
    assert [event[2]["message_id"] for event in events] == ids[2:]
    beyond = await api.get(f"/v1/customers/{ann}/inbox/live", Last_Event_ID=str(2**62))
    assert (beyond.status, beyond.code) == (400, "position-beyond-head")


async def test_without_the_scope_for_it_the_text_is_masked(api: Api) -> None:
    ann = somebody()
    await request(api, ann)
    blind = await key_with(api, "messages:read")
    [message] = (await inbox(api, ann, **blind))["items"]
    assert message["text"] == MASK
    start = str(message["position"] - 1)
    [(_, _, told)] = await heard(api, ann, 1, asyncio.Event(), Last_Event_ID=start, **blind)
    assert told == message


async def test_an_erased_customer_has_no_inbox_and_is_told_nothing_more(api: Api) -> None:
    ann = somebody()
    message_id = await request(api, ann)
    assert (await api.post(f"/v1/customers/{ann}/erase", {})).status == 200
    page = await inbox(api, ann)
    assert (page["items"], page["unread"]) == ([], 0)
    body = {"customer_id": ann, "kind": "news", "text": TEXT}
    answers = (
        await api.post("/v1/messages/another/request", body),
        await mark_read(api, ann, message_id),
    )
    assert [answer.code for answer in answers] == ["customer-erased", "customer-erased"]
