"""API keys as their users make, use and end them, on the command line and over HTTP."""

import asyncio
import re
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from app.security.api_key import _checksum, new_api_key
from app.security.authentication import BELIEVED_FOR
from tests.fixtures.api import Api, until_async
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = pytest.mark.anyio

REVOKED_WITHIN_S = 5
TOLD_WITHIN_S = 30
EVENT = {"type": "Seen", "customer_id": "keyholder", "data": {}}


def run(up: TidingsUp, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        tidings("keys", *arguments),
        env=up.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def made(up: TidingsUp, name: str, *options: str) -> str:
    done = run(up, "create", name, *options)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"tdg_live_\w+\n", done.stdout)  # and nothing else, into a pipe
    return done.stdout.strip()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_does_what_its_scopes_say_and_no_more(api: Api, tidings_up: TidingsUp) -> None:
    key = made(tidings_up, "writer", "--scope", "events:write")

    recorded = await api.post("/v1/events", EVENT, **bearer(key))
    assert recorded.status == 201
    stream = await api.read("/v1/streams/activity-keyholder")
    assert stream["items"][-1]["metadata"]["source"] == "writer"
    assert stream["items"][-1]["metadata"]["actor"] == f"key:{key.split('_')[2]}"
    refused = await api.get("/v1/customers/keyholder", **bearer(key))
    assert (refused.status, refused.code) == (403, "forbidden")
    assert "customers:read" in refused.problem["detail"]
    nobody = await api.get("/v1/customers/keyholder", Authorization="Bearer tdg_live_x")
    assert (nobody.status, nobody.code) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_is_refused_everywhere_within_seconds(
    api: Api, tidings_up: TidingsUp
) -> None:
    key = made(tidings_up, "gone", "--scope", "events:read", "--expires", "1h")
    for _ in range(20):  # both workers believe it now
        assert (await api.get("/v1/events?limit=1", **bearer(key))).status == 200

    assert run(tidings_up, "revoke", key.split("_")[2]).returncode == 0

    async def is_refused_by_all() -> bool:
        answers = [await api.get("/v1/events?limit=1", **bearer(key)) for _ in range(20)]
        return all(answer.status == 401 for answer in answers)

    await until_async(is_refused_by_all, seconds=REVOKED_WITHIN_S)


async def test_a_rotated_key_keeps_the_idempotency_of_its_name(
    api: Api, tidings_up: TidingsUp
) -> None:
    first = made(tidings_up, "rotating", "--scope", "events:write")
    second = run(tidings_up, "rotate", "rotating").stdout.strip()

    outcomes = [
        (await api.post("/v1/events", EVENT | {"id": "once"}, **bearer(key))).json()["outcome"]
        for key in (first, second)
    ]
    assert outcomes == ["recorded", "repeated"]
    other = made(tidings_up, "another-name", "--scope", "events:write")
    answer = await api.post("/v1/events", EVENT | {"id": "once"}, **bearer(other))
    assert answer.json()["outcome"] == "recorded"


async def test_keys_are_listed_without_the_keys(api: Api, tidings_up: TidingsUp) -> None:
    key = made(tidings_up, "listed", "--scope", "events:read", "--scope", "timeline:read")

    listed: list[dict[str, Any]] = (await api.read("/v1/keys"))["items"]
    [ours] = [each for each in listed if each["name"] == "listed"]
    assert ours["key_id"] == key.split("_")[2]
    assert ours["scopes"] == ["events:read", "timeline:read"]
    assert not ours["is_revoked"]
    output = run(tidings_up, "list").stdout
    assert "listed" in output
    for said in (str(listed), output):
        assert key.split("_")[3] not in said


async def test_when_a_key_was_last_used_is_told_and_only_by_who_has_the_key(
    api: Api, tidings_up: TidingsUp
) -> None:
    key = made(tidings_up, "used", "--scope", "events:read")
    key_id = key.split("_")[2]

    async def last_used() -> str | None:
        listed = (await api.read("/v1/keys"))["items"]
        [used] = [each["last_used_at"] for each in listed if each["key_id"] == key_id]
        return None if used is None else str(used)

    forged = new_api_key("live").text
    with_its_id = forged.replace(forged.split("_")[2], key_id)[:-6]
    await api.get("/v1/events", **bearer(with_its_id + _checksum(with_its_id)))
    assert await last_used() is None
    before = datetime.now(UTC).isoformat()
    await api.get("/v1/customers", **bearer(key))  # it lacks the scope, and is used all the same

    async def is_told() -> bool:
        return (await last_used() or "") >= before

    await until_async(is_told, seconds=TOLD_WITHIN_S)
    first = await last_used()
    assert first
    await asyncio.sleep(BELIEVED_FOR.total_seconds())
    await api.get("/v1/events?limit=1", **bearer(key))

    async def has_moved() -> bool:
        return (await last_used() or "") > first

    await until_async(has_moved, seconds=TOLD_WITHIN_S)


async def test_keys_are_made_over_http_with_no_scope_that_the_maker_lacks(
    api: Api, tidings_up: TidingsUp
) -> None:
    admin = made(tidings_up, "admin", "--scope", "keys:admin", "--scope", "events:read")

    asked = {"name": "by-http", "scopes": ["events:read"], "expires_in_s": 3600}
    answer = await api.post("/v1/keys", asked, **bearer(admin))
    assert answer.status == 201
    assert (await api.get("/v1/events", **bearer(answer.json()["key"]))).status == 200
    again = await api.post("/v1/keys", asked, **bearer(admin))
    assert (again.status, again.code) == (409, "name-taken")
    for scopes in (["events:write"], ["*"]):
        refused = await api.post("/v1/keys", {"name": "greedy", "scopes": scopes}, **bearer(admin))
        assert (refused.status, refused.code) == (403, "forbidden")
    unknown = await api.post("/v1/keys", {"name": "odd", "scopes": ["fly"]}, **bearer(admin))
    assert (unknown.status, unknown.problem["field"]) == (400, "scopes")
    ended = await api.post(f"/v1/keys/{answer.json()['key_id']}/revoke", {}, **bearer(admin))
    assert ended.status == 204
    never_made = await api.post("/v1/keys/3kTMd1AqzX0b/revoke", {}, **bearer(admin))
    assert (never_made.status, never_made.code) == (404, "no-such-key")


async def test_of_many_that_make_a_names_first_key_at_once_one_does(
    api: Api, tidings_up: TidingsUp
) -> None:
    admin = made(tidings_up, "admin-of-many", "--scope", "keys:admin", "--scope", "events:read")
    asked = {"name": "at-once", "scopes": ["events:read"]}
    answers = await asyncio.gather(
        *(api.post("/v1/keys", asked, **bearer(admin)) for _ in range(6))
    )
    assert sorted(answer.status for answer in answers) == [201, *5 * [409]]
    [key] = [answer.json()["key"] for answer in answers if answer.status == 201]
    assert (await api.get("/v1/events", **bearer(key))).status == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x"], "--scope"),
        (["create", "x", "--scope", "fly"], "--scope"),
        (["create", "a/b", "--scope", "*"], "name"),
        (["create", "x", "--scope", "*", "--expires", "soon"], "--expires"),
        (["rotate", "never-made"], "never-made"),
        (["revoke", "3kTMd1AqzX0b"], "no such API key"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    tidings_up: TidingsUp, arguments: list[str], said: str
) -> None:
    done = run(tidings_up, *arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
