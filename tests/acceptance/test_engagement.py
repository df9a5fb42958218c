"""Rules that are saved over HTTP act on what services send; what they decide is shown."""

import asyncio
import subprocess
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app.embedded import find_running
from tests.fixtures.api import Api, until_async
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = pytest.mark.anyio

DEADLINE_S = 30


async def test_a_rule_acts_on_an_event_and_says_so_on_the_timeline(api: Api) -> None:
    name, who, event_type = f"rule-{uuid4()}", f"customer-of-{uuid4()}", f"Clicked {uuid4()}"
    path = f"/v1/rules/{name}"
    rule = {
        "trigger": {
            "event": event_type,
            "where": "event.data.email == profile.traits.email && event.data.times > 2",
        },
        "steps": [
            {"do": "send", "kind": "news", "text": "We saw you"},
            {"do": "record", "type": f"{event_type} enough", "data": {"n": "trigger.data.times"}},
        ],
        "limits": {"consent": False},
    }
    saved = await api.send("PUT", path, rule)
    assert saved.status == 200, saved
    assert (await api.post(f"{path}/go-live", {"version": 1})).status == 200
    traits = {"traits": {"email": "anna@example.com"}}
    assert (await api.post(f"/v1/customers/{who}/register", traits)).status == 200
    for times, email in ((3, "bert@example.com"), (2, "anna@example.com"), (3, "anna@example.com")):
        data = {"times": times, "email": email}
        await api.record({"type": event_type, "customer_id": who, "data": data})

    async def is_there() -> bool:
        return bool((await api.read(f"/v1/customers/{who}/inbox"))["items"])

    await until_async(is_there, seconds=DEADLINE_S)
    [message] = (await api.read(f"/v1/customers/{who}/inbox"))["items"]
    assert message["text"] == "We saw you"
    head = (await api.log())[-1]["position"]
    timeline = await api.all_items(f"/v1/customers/{who}/timeline", min_position=head)
    titles = [entry["title"] for entry in timeline]
    assert f"Rule {name}: acted (requested a message, recorded an event)" in titles
    [recorded] = [entry for entry in timeline if entry["type"] == f"{event_type} enough"]
    assert _data_of(recorded) == {"n": 3}
    await api.post(f"{path}/retire", {})

    saw = {"event.data.email": "anna@example.com", "profile.traits.email": "anna@example.com"}
    [decision] = (await api.read(f"/v1/customers/{who}/decisions"))["items"]
    assert decision["inputs"] == saw | {"event.data.times": 3, "trigger.data.times": 3}
    why_not = await api.read(f"/v1/rules/{name}/why-not?customer_id={who}")
    assert why_not["attempts"][-1]["saw"] == saw | {"event.data.times": 3}


async def test_a_customer_whom_rules_leave_out_is_skipped_and_goes_on(
    api: Api, tidings_up: TidingsUp
) -> None:
    name, who, event_type = f"rule-{uuid4()}", f"customer-of-{uuid4()}", f"Clicked {uuid4()}"
    answer = {"do": "record", "type": "Answered", "data": {"n": "trigger.data.n"}}
    rule = {"trigger": {"event": event_type}, "steps": [answer]}
    assert (await api.send("PUT", f"/v1/rules/{name}", rule)).status == 200
    assert (await api.post(f"/v1/rules/{name}/go-live", {"version": 1})).status == 200

    async def click(n: int) -> None:
        await api.record({"type": event_type, "customer_id": who, "data": {"n": n}})

    async def are_answered(*expected: int) -> bool:
        entries = await api.all_items(f"/v1/customers/{who}/timeline", type="Answered")
        return sorted(each["data"]["n"] for each in entries) == [*expected]

    spoiled = "INSERT INTO tidings.engagement_states (key, state) VALUES (%s, '{\"sent\": 7}')"
    run_sql(tidings_up, spoiled, f"customer/{who}")
    await click(1)
    await click(2)

    async def is_parked() -> bool:
        return who in (await asyncio.to_thread(reactions, tidings_up, "parked")).stdout

    await until_async(is_parked, seconds=DEADLINE_S)
    assert await are_answered()
    run_sql(tidings_up, "DELETE FROM tidings.engagement_states WHERE key = %s", f"customer/{who}")
    done = await asyncio.to_thread(reactions, tidings_up, "skip", who)
    assert (done.returncode, done.stdout) == (0, f"engagement {who}: reacted to\n"), done
    await click(3)
    await until_async(lambda: are_answered(2, 3), seconds=DEADLINE_S)
    assert not await is_parked()
    await api.post(f"/v1/rules/{name}/retire", {})


def run_sql(up: TidingsUp, statement: str, key: str) -> None:
    server = find_running(up.data_dir)
    assert server
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement, (key,))


def reactions(up: TidingsUp, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        tidings("reactions", *arguments),
        env=up.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", ["/v1/engagement", "/v1/reaction-times"])
async def test_days_that_are_none_are_refused_by_their_field(api: Api, path: str) -> None:
    for query, field in (
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-11-22&to=2026-11-22", "to"),
    ):
        answer = await api.get(f"{path}?{query}")
        assert (answer.status, answer.problem["field"]) == (400, field), answer
    assert (await api.get(f"{path}?from=2026-11-22&to=2026-11-23")).status == 200


def _data_of(entry: dict[str, Any]) -> Any:
    return entry.get("data")
