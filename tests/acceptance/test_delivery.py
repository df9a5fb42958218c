"""Messages by channels, as services, operators and channels' providers see them."""

import asyncio
import json
import secrets
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.acceptance.conftest import RECEIPTS_SECRET
from tests.acceptance.test_command_line import check_one_line, run
from tests.acceptance.test_messages import inbox, request, somebody
from tests.fixtures.api import Answer, Api, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = pytest.mark.anyio

DEADLINE_S = 30


async def state_of(api: Api, message_id: str) -> Any:
    return await api.read(f"/v1/messages/{message_id}")


async def until_state(api: Api, message_id: str, state: str) -> Any:
    async def is_so() -> bool:
        return bool((await state_of(api, message_id))["state"] == state)

    await until_async(is_so, seconds=DEADLINE_S)
    return await state_of(api, message_id)


def signed(body: bytes, *, secret: str = RECEIPTS_SECRET, age: timedelta | None = None) -> Any:
    """The headers of receipts."""
    at, webhook_id = datetime.now(UTC) - (age or timedelta()), "msg_1"
    return {
        "webhook_id": webhook_id,
        "webhook_timestamp": str(int(at.timestamp())),
        "webhook_signature": Webhook(secret).sign(webhook_id, at, body.decode()),
    }


async def send_receipts(api: Api, *receipts: Mapping[str, object]) -> list[str]:
    """The outcomes."""
    body = json.dumps(receipts).encode()
    answer = await api.send("POST", "/v1/receipts/console", body, **signed(body))
    assert answer.status == 200, answer
    return [outcome["outcome"] for outcome in answer.json()]


def receipt(message_id: str, status: str, **more: object) -> dict[str, object]:
    return {"message_id": message_id, "status": status, "at": "2026-11-22T09:30:00Z"} | more


async def test_a_message_is_sent_and_its_customer_can_see_by_which_channel(api: Api) -> None:
    ann = somebody()
    message_id = await request(api, ann, channels=["pigeon", "console"])
    told = await until_state(api, message_id, "sent")
    assert (told["customer_id"], told["channel"], told["attempts"]) == (ann, "console", 2)
    assert [event["type"] for event in told["events"]] == [
        "message.requested",
        "message.failed",
        "message.sending",
        "message.sent",
    ]
    sent_at = told["events"][-1]["position"]
    entries = await api.all_items(f"/v1/customers/{ann}/timeline", min_position=sent_at)
    assert {"Sent a message by console"} <= {entry["title"] for entry in entries}
    assert (await inbox(api, ann))["items"] == []


async def test_a_template_says_it_in_the_customers_language_with_what_is_sealed(api: Api) -> None:
    ann, name = somebody(), f"shipped-{secrets.token_hex(4)}"
    words = {
        "en": {"subject": "Order {{ order }}", "text": "Hello {{ profile.traits.name }}"},
        "de": {
            "subject": "Bestellung {{ order }}",
            "text": "Hallo {{ profile.traits.name }}",
        },
    }
    saved = {"languages": words, "default_language": "en"}
    assert (await api.send("PUT", f"/v1/templates/{name}", saved)).status == 200
    traits = {"name": "Änne", "language": "de-AT"}
    await api.post(f"/v1/customers/{ann}/register", {"traits": traits})
    asked = {"template": name, "parameters": {"order": 42}, "channels": ["inbox"]}
    message_id = await request(api, ann, text=None, **asked)
    await until_state(api, message_id, "sent")
    [message] = (await inbox(api, ann))["items"]
    assert (message["subject"], message["text"]) == ("Bestellung 42", "Hallo Änne")

    broken = await request(api, ann, text=None, **asked | {"parameters": {}})
    told = await until_state(api, broken, "dead")
    assert "Änne" not in told["error"]


async def test_what_is_to_wait_is_in_the_inbox_when_it_is_time(api: Api) -> None:
    ann = somebody()
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    message_id = await request(api, ann, not_before=soon)
    assert (await inbox(api, ann))["items"] == []
    await until_state(api, message_id, "sent")
    [message] = (await inbox(api, ann))["items"]
    assert (message["message_id"], message["text"]) == (message_id, "Your order 42 is on its way.")


async def test_what_every_channel_refuses_is_listed_retried_and_dropped(api: Api) -> None:
    message_id = await request(api, somebody(), channels=["pigeon"])
    told = await until_state(api, message_id, "dead")
    assert told["error"] == "the channel pigeon is not set up"

    async def is_listed() -> bool:
        dead = await api.all_items("/v1/messages", state="dead", limit=1)
        return message_id in {item["message_id"] for item in dead}

    await until_async(is_listed, seconds=DEADLINE_S)
    listed = await api.all_items("/v1/messages", state="dead")
    [item] = [item for item in listed if item["message_id"] == message_id]
    assert (item["priority"], item["next_try_at"]) == ("normal", None)
    retried = await api.post(f"/v1/messages/{message_id}/retry", {})
    assert [event["type"] for event in retried.json()["events"]] == ["message.retried"]
    await until_state(api, message_id, "dead")
    dropped = await api.send("POST", f"/v1/messages/{message_id}/drop")
    assert dropped.status == 200
    assert (await state_of(api, message_id))["state"] == "dropped"
    again = await api.post(f"/v1/messages/{message_id}/retry", {})
    assert (again.status, again.code) == (409, "not-retryable")


async def test_what_is_sent_is_not_dropped_and_nobodys_message_is_not_found(api: Api) -> None:
    message_id = await request(api, somebody())
    answer = await api.post(f"/v1/messages/{message_id}/drop", {})
    assert (answer.status, answer.code) == (409, "not-droppable")
    for act in ("retry", "drop"):
        answer = await api.post(f"/v1/messages/nothing-of-the-kind/{act}", {})
        assert (answer.status, answer.code) == (404, "no-such-message")
    assert (await api.get("/v1/messages/nothing-of-the-kind")).code == "no-such-message"


async def test_receipts_are_taken_in_any_order_and_again(api: Api) -> None:
    message_id = await request(api, somebody(), channels=["console"])
    await until_state(api, message_id, "sent")
    opened, delivered = receipt(message_id, "opened"), receipt(message_id, "delivered")
    assert await send_receipts(api, opened, receipt("nobody", "opened")) == ["recorded", "unknown"]
    assert await send_receipts(api, delivered) == ["recorded"]
    assert await send_receipts(api, opened, delivered) == ["repeated", "repeated"]
    told = await state_of(api, message_id)
    assert told["state"] == "opened"
    assert told["events"][-1]["customer_id"] == told["customer_id"]
    assert told["events"][-1]["metadata"]["actor"] == "receipts:console"


async def test_what_has_bounced_goes_by_the_next_channel(api: Api) -> None:
    ann = somebody()
    message_id = await request(api, ann, channels=["console", "inbox"])
    await until_state(api, message_id, "sent")
    assert await send_receipts(api, receipt(message_id, "bounced", hard=True)) == ["recorded"]

    async def is_in_inbox() -> bool:
        return bool((await inbox(api, ann))["items"])

    await until_async(is_in_inbox, seconds=DEADLINE_S)


async def test_receipts_are_taken_signed_alone(api: Api) -> None:
    message_id = await request(api, somebody(), channels=["console"])
    await until_state(api, message_id, "sent")
    body = json.dumps([receipt(message_id, "opened")]).encode()
    other = "whsec_" + "QUJD" * 8
    good = signed(body)
    forged: list[dict[str, str]] = [
        {},
        signed(body, secret=other),
        signed(body, age=timedelta(minutes=6)),
        signed(body, age=-timedelta(minutes=6)),
        signed(body + b" "),
        good | {"webhook_id": "msg_2"},
        good | {"webhook_signature": "v1"},
        good | {"webhook_signature": "v1,a v1,="},
        good | {"webhook_timestamp": "soon"},
    ]
    for headers in forged:
        answer = await api.send("POST", "/v1/receipts/console", body, **headers)
        assert (answer.status, answer.code) == (401, "unauthenticated"), headers
    assert (await state_of(api, message_id))["state"] == "sent"


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"message_id": "m", "status": "lost", "at": "2026-11-22T09:30:00Z"}, "[0].status"),
        ({"message_id": "m", "status": "opened", "at": "2026-11-22"}, "[0].at"),
        ({"status": "opened", "at": "2026-11-22T09:30:00Z"}, "[0].message_id"),
    ],
)
async def test_a_bad_receipt_is_refused_by_its_field(
    api: Api, item: dict[str, str], field: str
) -> None:
    body = json.dumps([item]).encode()
    answer: Answer = await api.send("POST", "/v1/receipts/console", body, **signed(body))
    assert (answer.status, answer.code) == (400, "invalid-input")
    assert answer.problem["field"] in {field, "[0]"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"template": "welcome"}, "text"),
        ({"text": None}, "text"),
        ({"parameters": {"a": 1}}, "parameters"),
        ({"channels": []}, "channels"),
        ({"channels": ["inbox", "inbox"]}, "channels"),
        ({"channels": ["E-mail"]}, "channels[0]"),
        ({"not_before": "tomorrow"}, "not_before"),
        ({"not_before": "9999-12-31T23:59:59-14:00"}, "not_before"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_by_its_field(
    api: Api, changes: dict[str, object], field: str
) -> None:
    body = {"customer_id": somebody(), "kind": "news", "text": "Hello"} | changes
    answer = await api.post(f"/v1/messages/{secrets.token_hex(8)}/request", body)
    assert (answer.status, answer.code, answer.problem["field"]) == (400, "invalid-input", field)


async def test_what_is_sent_is_measured_by_channel(api: Api) -> None:
    message_id = await request(api, somebody(), channels=["console"])
    await until_state(api, message_id, "sent")
    metrics = (await api.get("/metrics")).body.decode()
    assert 'tidings_messages_sent_total{channel="console"}' in metrics
    assert 'tidings_message_latency_seconds_bucket{channel="console"' in metrics


async def test_operators_see_to_messages_beside_the_running_courier(
    api: Api, tidings_up: TidingsUp, tmp_path: Path
) -> None:
    async def messages(*arguments: str) -> "subprocess.CompletedProcess[str]":
        here = {"data_dir": tidings_up.data_dir}
        return await asyncio.to_thread(run, "messages", *arguments, folder=tmp_path, settings=here)

    ann = somebody()
    message_id = await request(api, ann, channels=["pigeon"])
    await until_state(api, message_id, "dead")

    async def is_listed() -> bool:
        return message_id in (await messages("list", "--state", "dead", "--limit", "1000")).stdout

    await until_async(is_listed, seconds=DEADLINE_S)
    shown = (await messages("show", message_id)).stdout
    assert f"{message_id} to {ann}: dead (pigeon), 1 attempts" in shown
    assert "on its way" not in shown
    for act, told in (("retry", "will be sent"), ("drop", "is dropped")):
        done = await messages(act, message_id)
        assert (done.returncode, done.stdout) == (0, f"{message_id} {told}\n"), done
    check_one_line(await messages("retry", message_id), 1, "there is nothing to retry")
    check_one_line(await messages("show", "nothing-of-the-kind"), 1, "There is no such message")
