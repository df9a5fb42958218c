"""Erasing and exporting a customer as its operators do, over HTTP and on the command line."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.api import Api
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = pytest.mark.anyio


def run(up: TidingsUp, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        tidings(*arguments),
        env=up.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def known(api: Api, customer_id: str) -> str:
    """A customer with a trait, an address and a visitor; the customer's path."""
    path = f"/v1/customers/{customer_id}"
    await api.record(
        {"type": "Seen", "anonymous_id": f"v-{customer_id}", "data": {}},
        {"type": "Seen", "customer_id": customer_id, "data": {}, "id": f"seen-{customer_id}"},
    )
    for command, body in (
        ("register", {"traits": {"plan": f"plan of {customer_id}"}}),
        ("record-consent", {"channel": "email", "topic": "news"}),
        ("link-identity", {"kind": "email", "value": f"{customer_id}@example.org"}),
        ("link-identity", {"kind": "anonymous", "value": f"v-{customer_id}"}),
    ):
        assert (await api.post(f"{path}/{command}", body)).status == 200
    return path


async def erased(api: Api, path: str) -> Any:
    answer = await api.send("POST", f"{path}/erase")
    assert answer.status == 200, answer
    return answer.json()


async def test_an_erased_customer_is_shown_as_such_and_refused(api: Api) -> None:
    path = await known(api, "erin")
    receipt = await erased(api, path)
    assert (receipt["identities"], receipt["visitors"]) == (2, 1)

    shown = await api.read(f"{path}?min_position={receipt['position']}")
    assert shown["erased_at"] == receipt["erased_at"]
    assert (shown["traits"], shown["consents"], shown["identities"]) == ({}, [], [])
    for search in (
        "trait=plan&starts_with=plan%20of%20erin",
        "id_prefix=erin",
        "identity=email:erin@example.org",
    ):
        assert (await api.read(f"/v1/customers?{search}"))["items"] == []
    entries = (await api.read(f"{path}/timeline?min_position={receipt['position']}"))["items"]
    assert entries[0]["title"] == "Erased"

    event = {"type": "Seen", "customer_id": "erin", "data": {}}
    refused = await api.post("/v1/events", event)
    assert (refused.status, refused.code) == (410, "customer-erased")
    commanded = await api.post(f"{path}/change-traits", {"traits": {"plan": "new"}})
    assert (commanded.status, commanded.code) == (410, "customer-erased")
    linked = await api.post(f"{path}/link-identity", {"kind": "email", "value": "e@example.org"})
    assert (linked.status, linked.code) == (410, "customer-erased")
    repeated = await api.post("/v1/events", event | {"id": "seen-erin"})
    assert (repeated.status, repeated.json()["outcome"]) == (200, "repeated")


async def test_in_a_batch_only_the_erased_customers_events_are_rejected(api: Api) -> None:
    await erased(api, await known(api, "egon"))
    outcomes = await api.record(
        {"type": "Seen", "customer_id": "egons-neighbour", "data": {}},
        {"type": "Seen", "customer_id": "egon", "data": {}},
        {"type": "Seen", "anonymous_id": "v-egon", "data": {}},
    )
    assert [each["outcome"] for each in outcomes] == ["recorded", "rejected", "rejected"]
    problem = outcomes[1]["problem"]
    assert (problem["status"], problem["field"]) == (410, "[1]")
    assert problem["type"].endswith(":customer-erased")


async def test_a_second_erasure_has_the_same_receipt_also_on_the_command_line(
    api: Api, tidings_up: TidingsUp, tmp_path: Path
) -> None:
    path = await known(api, "emil")
    receipt = await erased(api, path)
    assert await erased(api, path) == receipt
    again = run(tidings_up, "erase", "emil", "--yes")
    assert json.loads(again.stdout) == receipt, again.stderr

    file = tmp_path / "receipt.json"
    file.write_text(again.stdout)
    assert run(tidings_up, "erase", "emil", "--verify", str(file)).returncode == 0
    other = run(tidings_up, "erase", "erin", "--verify", str(file))
    assert (other.returncode, "another customer" in other.stderr) == (2, True)
    file.write_text(json.dumps(receipt | {"position": 1}))
    assert run(tidings_up, "erase", "--verify", str(file)).returncode == 2


async def test_nobody_is_erased_unasked(api: Api, tidings_up: TidingsUp) -> None:
    await known(api, "elsa")
    assert run(tidings_up, "erase", "elsa").returncode == 130
    assert run(tidings_up, "erase").returncode == 2
    assert "erased_at" not in await api.read("/v1/customers/elsa")
    unknown = await api.send("POST", "/v1/customers/elsas-ghost/erase")
    assert (unknown.status, unknown.code) == (404, "not-found")


async def test_an_export_is_the_same_over_http_and_on_the_command_line(
    api: Api, tidings_up: TidingsUp
) -> None:
    path = await known(api, "enno")
    answer = await api.get(f"{path}/export")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/jsonl")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [next(iter(line)) for line in lines] == ["profile", *["event"] * 6, "complete"]

    printed = run(tidings_up, "export", "enno")
    assert printed.returncode == 0, printed.stderr
    *again, before, complete = [json.loads(line) for line in printed.stdout.splitlines()]
    assert again == lines[:-1]
    assert before["export"]["type"] == "customer.exported"
    assert complete["complete"]["exports"] == 1
    ghost = await api.get("/v1/customers/ennos-ghost/export")
    assert (ghost.status, ghost.code) == (404, "not-found")
