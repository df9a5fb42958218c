"""Questions over HTTP: from opened to resolved, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Answer, Api

pytestmark = pytest.mark.anyio

ANSWER = {"text": "One of them is a reservation."}


def asked(customer_id: str, **more: object) -> dict[str, object]:
    return {
        "customer_id": customer_id,
        "text": "My card was charged twice.",
        "channel": "email",
        "topic": "billing",
        **more,
    }


async def send(api: Api, question_id: str, command: str, body: object) -> Answer:
    return await api.post(f"/v1/questions/{question_id}/{command}", body)


async def types_of(api: Api, question_id: str, command: str, body: object) -> list[str]:
    """The events that a command made."""
    answer = await send(api, question_id, command, body)
    assert answer.status == 200, answer
    return [event["type"].removeprefix("support.") for event in answer.json()["events"]]


async def events_of(api: Api, question_id: str) -> list[Any]:
    return await api.all_items(f"/v1/streams/question-{question_id}", limit=100)


async def test_a_question_goes_its_way_on_the_customers_timeline(api: Api) -> None:
    ann, question_id = f"customer-of-{uuid4()}", str(uuid4())
    reply = {"reply_id": "mail-2", "text": "It is still there."}
    story: list[tuple[str, object, list[str]]] = [
        ("open", asked(ann, time_zone="Europe/Berlin"), ["question_opened"]),
        ("open", asked(ann), []),
        ("answer", ANSWER, ["question_answered"]),
        ("answer", ANSWER, []),
        ("await-customer", {}, ["customer_awaited"]),
        ("await-customer", {}, []),
        ("note-reply", reply | {"reply_id": "mail-1", "is_automatic": True}, ["customer_replied"]),
        ("note-reply", reply, ["customer_replied", "question_resumed"]),
        ("note-reply", reply, []),
        ("resolve", {}, ["question_resolved"]),
        ("resolve", {}, []),
        ("reopen", {}, ["question_reopened"]),
        ("reopen", {}, []),
        ("resolve", {}, ["question_resolved"]),
    ]
    for command, body, expected in story:
        assert await types_of(api, question_id, command, body) == expected, command
    events = await events_of(api, question_id)
    assert {event["customer_id"] for event in events} == {ann}
    opened = events[0]["data"]
    assert opened["text"] == "My card was charged twice."
    assert opened["resolution"]["due_at"] > opened["first_response"]["due_at"]
    where = f"min_position={events[-1]['position']}"
    timeline = await api.read(f"/v1/customers/{ann}/timeline?{where}&limit=100")
    entries = [entry for entry in timeline["items"] if entry["stream"] == f"question-{question_id}"]
    assert len(entries) == len(events)
    assert {entry["kind"] for entry in entries} == {"support"}


async def test_what_is_said_is_sealed_and_shown_to_those_who_may_see_it(api: Api) -> None:
    ann, question_id = f"customer-of-{uuid4()}", str(uuid4())
    await types_of(api, question_id, "open", asked(ann))
    await types_of(api, question_id, "answer", ANSWER)
    made = await api.post("/v1/keys", {"name": f"reader {uuid4()}", "scopes": ["events:read"]})
    masked = await api.get(
        f"/v1/streams/question-{question_id}", Authorization=f"Bearer {made.json()['key']}"
    )
    assert [event["data"]["text"] for event in masked.json()["items"][:2]] == ["•••", "•••"]


async def test_what_breaks_a_rule_is_refused(api: Api) -> None:
    ann, question_id = f"customer-of-{uuid4()}", str(uuid4())
    missing = await send(api, question_id, "answer", ANSWER)
    assert (missing.status, missing.code) == (404, "no-such-question")
    await types_of(api, question_id, "open", asked(ann, is_automatic=True))
    machine = await send(api, question_id, "answer", ANSWER | {"is_automatic": True})
    assert (machine.status, machine.code) == (409, "answering-machine")
    taken = await send(api, question_id, "open", asked(ann, topic="rides"))
    assert (taken.status, taken.code) == (409, "question-taken")
    await types_of(api, question_id, "resolve", {})
    for command, body in (("answer", ANSWER), ("await-customer", {})):
        resolved = await send(api, question_id, command, body)
        assert (resolved.status, resolved.code) == (409, "question-is-resolved")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"customer_id": "~visitor"}, "customer_id"),
        ({"desk": "nobody"}, "desk"),
        ({"channel": "By mail"}, "channel"),
        ({"text": ""}, "text"),
        ({"priority": "high"}, "priority"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_does_not_fit_is_refused_with_its_field(
    api: Api, wrong: dict[str, object], field: str
) -> None:
    answer = await send(api, str(uuid4()), "open", asked("ann") | wrong)
    assert (answer.status, answer.code) == (400, "invalid-input")
    assert field in f"{answer.problem.get('field', '')} {answer.problem['detail']}"


async def test_a_questions_id_leaves_room_for_what_is_called_after_it(api: Api) -> None:
    answer = await send(api, "q" * 101, "open", asked("ann"))
    assert (answer.status, answer.problem["field"]) == (400, "question_id")
