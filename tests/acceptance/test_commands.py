"""Commands to customers: their answers, versions, keys, races, and where events come from."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio

TIMES = 20
WRITERS = 24
MAX_TRIES = 500


def somebody() -> str:
    return f"customer-of-{uuid4()}"


async def stream_of(api: Api, customer_id: str) -> list[Any]:
    return await api.all_items(f"/v1/streams/customer-{customer_id}", limit=100)


async def change(api: Api, customer_id: str, /, **traits: object) -> Any:
    """Change traits; the answer's body."""
    answer = await api.post(f"/v1/customers/{customer_id}/change-traits", {"traits": traits})
    assert answer.status == 200, answer
    return answer.json()


async def test_a_command_answers_what_it_recorded_and_where(api: Api) -> None:
    ann = somebody()
    answer = await api.post(f"/v1/customers/{ann}/register", {"traits": {"name": "Ann", "n": 1.5}})
    assert answer.status == 200
    body = answer.json()
    assert (body["stream"], body["version"]) == (f"customer-{ann}", 1)
    assert answer.headers["etag"] == '"1"'
    assert body["repeated"] is False
    [event] = body["events"]
    [recorded] = await stream_of(api, ann)
    for field in ("event_id", "type", "stream", "version", "position"):
        assert event[field] == recorded[field]
    assert body["position"] == event["position"]
    assert recorded["type"] == "customer.registered"
    assert recorded["data"] == {"traits": {"name": "Ann", "n": 1.5}}
    assert recorded["customer_id"] == ann


async def test_what_changes_nothing_records_nothing_and_answers_the_present_version(
    api: Api,
) -> None:
    ann = somebody()
    first = await change(api, ann, plan="pro")
    again = await api.post(f"/v1/customers/{ann}/change-traits", {"traits": {"plan": "pro"}})
    assert again.json() == first | {"events": []}
    assert again.headers["etag"] == '"1"'
    unseen = await api.post(
        f"/v1/customers/{ann}/unlink-identity", {"kind": "email", "value": "a@b.example"}
    )
    assert unseen.json()["events"] == []
    assert len(await stream_of(api, ann)) == 1


async def test_a_rule_of_the_business_refuses_with_409(api: Api) -> None:
    ann, bob, email = somebody(), somebody(), f"{uuid4()}@example.org"
    await api.post(f"/v1/customers/{ann}/register", {})
    again = await api.post(f"/v1/customers/{ann}/register", {})
    assert (again.status, again.code) == (409, "already-registered")
    link = {"kind": "email", "value": email}
    assert (await api.post(f"/v1/customers/{ann}/link-identity", link)).status == 200
    taken = await api.post(f"/v1/customers/{bob}/link-identity", link)
    assert (taken.status, taken.code) == (409, "identity-taken")
    assert email not in taken.body.decode()


async def test_a_stale_if_match_is_refused_and_the_right_one_is_not(api: Api) -> None:
    ann = somebody()
    await change(api, ann, plan="free")
    done = await change(api, ann, plan="pro")
    path = f"/v1/customers/{ann}/change-traits"
    stale = await api.post(path, {"traits": {"plan": "max"}}, If_Match='"1"')
    assert (stale.status, stale.code) == (412, "wrong-expected-version")
    read = await api.get(f"/v1/customers/{ann}?min_position={done['position']}")
    assert read.headers["etag"] == '"2"'
    right = await api.post(path, {"traits": {"plan": "max"}}, If_Match=read.headers["etag"])
    assert right.status == 200
    assert right.headers["etag"] == '"3"'
    assert [e["data"]["traits"]["plan"] for e in await stream_of(api, ann)] == [
        "free", "pro", "max",
    ]  # fmt: skip


async def test_if_match_zero_is_for_somebody_new(api: Api) -> None:
    ann = somebody()
    path = f"/v1/customers/{ann}/register"
    assert (await api.post(path, {}, If_Match='"1"')).status == 412
    assert (await api.post(path, {}, If_Match='"0"')).status == 200
    assert (await api.post(path, {}, If_Match='"0"')).status == 412
    assert (await api.post(path, {}, If_Match="*")).status == 409


async def test_a_command_with_a_key_sent_twenty_times_at_once_has_one_effect(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    path, body = f"/v1/customers/{ann}/register", {"traits": {"name": "Ann"}}
    answers = await asyncio.gather(
        *(api.post(path, body, Idempotency_Key=key) for _ in range(TIMES))
    )
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * (TIMES - 1)
    assert len({str(answer.json() | {"repeated": None}) for answer in answers}) == 1
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert len(await stream_of(api, ann)) == 1
    other = await api.post(path, {"traits": {"name": "Bob"}}, Idempotency_Key=key)
    assert (other.status, other.code) == (422, "idempotency-conflict")
    elsewhere = await api.post(f"/v1/customers/{somebody()}/register", body, Idempotency_Key=key)
    assert elsewhere.status == 422


async def test_a_link_with_a_key_sent_twenty_times_at_once_has_one_effect(api: Api) -> None:
    """It records in two streams, so the original answer is made of several events."""
    ann, key = somebody(), str(uuid4())
    body = {"kind": "external", "value": str(uuid4())}
    answers = await asyncio.gather(
        *(
            api.post(f"/v1/customers/{ann}/link-identity", body, Idempotency_Key=key)
            for _ in range(TIMES)
        )
    )
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * (TIMES - 1)
    assert len({str(answer.json() | {"repeated": None}) for answer in answers}) == 1
    assert len(answers[0].json()["events"]) == 2


async def test_a_repeat_is_answered_as_the_first_time_whatever_happened_since(api: Api) -> None:
    ann, key = somebody(), str(uuid4())
    path = f"/v1/customers/{ann}/change-traits"
    body = {"traits": {"plan": "pro"}}
    first = await api.post(path, body, Idempotency_Key=key, If_Match='"0"')
    await change(api, ann, plan="free")
    again = await api.post(path, body, Idempotency_Key=key, If_Match='"0"')
    assert again.json() == first.json() | {"repeated": True}
    assert len(await stream_of(api, ann)) == 2


async def test_concurrent_writers_on_one_stream_lose_no_update(api: Api) -> None:
    """Each reads the version it is about to change, and writes only on that."""
    ann = somebody()
    await change(api, ann, count=0)

    async def increment() -> None:
        for _ in range(MAX_TRIES):
            events = await stream_of(api, ann)
            seen = events[-1]
            answer = await api.post(
                f"/v1/customers/{ann}/change-traits",
                {"traits": {"count": seen["data"]["traits"]["count"] + 1}},
                If_Match=f'"{seen["version"]}"',
            )
            if answer.status == 200:
                return
            assert answer.status in {409, 412}, answer
        raise AssertionError(f"lost {MAX_TRIES} races in a row")

    await asyncio.gather(*(increment() for _ in range(WRITERS)))
    events = await stream_of(api, ann)
    assert [event["version"] for event in events] == list(range(1, WRITERS + 2))
    assert [event["data"]["traits"]["count"] for event in events] == list(range(WRITERS + 1))


async def test_concurrent_commands_that_expect_nothing_all_take_effect(api: Api) -> None:
    ann = somebody()

    async def consent(number: int) -> None:
        body = {"channel": "email", "topic": f"topic-{number}"}
        for _ in range(MAX_TRIES):
            answer = await api.post(f"/v1/customers/{ann}/record-consent", body)
            if answer.status == 200:
                return
            assert (answer.status, answer.code) == (409, "contention"), answer
        raise AssertionError(f"lost {MAX_TRIES} races in a row")

    await asyncio.gather(*(consent(number) for number in range(60)))
    events = await stream_of(api, ann)
    assert [event["version"] for event in events] == list(range(1, 61))
    assert {event["data"]["topic"] for event in events} == {f"topic-{n}" for n in range(60)}


async def test_of_many_who_claim_one_identity_at_once_one_gets_it(api: Api) -> None:
    link = {"kind": "phone", "value": f"+49{uuid4().int % 10**12:012}"}
    everybody = [somebody() for _ in range(TIMES)]
    answers = await asyncio.gather(
        *(api.post(f"/v1/customers/{who}/link-identity", link) for who in everybody)
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * (TIMES - 1)
    assert {a.code for a in answers if a.status == 409} <= {"identity-taken", "contention"}


async def test_events_say_where_they_come_from(api: Api) -> None:
    ann = somebody()
    said = {"X_Request_Id": "req-7", "X_Correlation_Id": "visit-3", "X_Causation_Id": "click-9"}
    command = await api.post(f"/v1/customers/{ann}/register", {}, **said)
    event = {"type": "Paid", "customer_id": ann, "data": {}}
    single = await api.post("/v1/events", event, **said)
    batch = await api.post("/v1/events", [event], **said)
    for answer in (command, single, batch):
        assert answer.headers["x-request-id"] == "req-7"
    for stream in ("customer", "activity"):
        for recorded in (await api.read(f"/v1/streams/{stream}-{ann}"))["items"]:
            metadata = recorded["metadata"]
            assert metadata["request_id"] == "req-7"
            assert metadata["correlation_id"] == "visit-3"
            assert metadata["causation_id"] == "click-9"
            assert metadata["source"] == "default"


async def test_a_request_without_ids_gets_one_and_begins_a_chain(api: Api) -> None:
    ann = somebody()
    answer = await api.post(f"/v1/customers/{ann}/register", {}, X_Request_Id="not fit: \xe9")
    request_id = answer.headers["x-request-id"]
    assert UUID(request_id).version == 7
    [recorded] = await stream_of(api, ann)
    assert recorded["metadata"]["request_id"] == request_id
    assert recorded["metadata"]["correlation_id"] == request_id
    assert "causation_id" not in recorded["metadata"]
    failed = await api.get("/v1/nothing", X_Request_Id="mine")
    assert failed.problem["request_id"] == "mine"
