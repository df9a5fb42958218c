"""Rules over HTTP: saved, checked, live, paused, retired."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.engagement import ready_made
from tests.fixtures.api import Api
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = pytest.mark.anyio

TRIGGER = {"event": "cart.checked_out", "where": "event.data.total > 1000"}
RULE: dict[str, Any] = {
    "trigger": TRIGGER,
    "steps": [{"do": "send", "kind": "thanks", "text": "Thank you"}],
}


@pytest.fixture
def path() -> str:
    """Of a rule of the test's own."""
    return f"/v1/rules/rule-{uuid4()}"


async def test_a_rule_is_saved_goes_live_is_paused_and_retires(api: Api, path: str) -> None:
    saved = await api.send("PUT", path, RULE)
    assert (saved.status, saved.headers["etag"]) == (200, '"1"')
    assert saved.json()["rule_version"] == 1
    again = (await api.send("PUT", path, RULE)).json()
    assert (again["events"], again["rule_version"]) == ([], 1)
    other = {**RULE, "priority": "low"}
    assert (await api.send("PUT", path, other)).json()["rule_version"] == 2

    early = await api.post(f"{path}/pause", {})
    assert (early.status, early.code) == (409, "rule-not-live")
    await api.post(f"{path}/go-live", {"version": 1})
    await api.post(f"{path}/go-live", {"version": 2, "share": 10})
    read = await api.get(path)
    assert read.headers["etag"] == '"4"'
    told = read.json()
    assert (told["status"], told["live_version"]) == ("live", 1)
    assert told["canary"] == {"version": 2, "share": 10}
    assert [one["version"] for one in told["versions"]] == [1, 2]
    assert told["rule"]["priority"] == "low"
    first = await api.read(f"{path}?version=1")
    assert first["rule"]["priority"] == "normal"

    stale = await api.send("PUT", path, RULE, If_Match='"1"')
    assert (stale.status, stale.code) == (412, "wrong-expected-version")
    await api.post(f"{path}/pause", {})
    await api.post(f"{path}/resume", {"fire_overdue": True})
    bare = await api.send("POST", f"{path}/resume")
    assert bare.status == 200, bare
    await api.post(f"{path}/retire", {})
    over = await api.send("PUT", path, RULE)
    assert (over.status, over.code) == (409, "rule-is-retired")
    (listed,) = [
        one for one in (await api.read("/v1/rules"))["items"] if path.endswith(one["name"])
    ]
    assert (listed["status"], listed["newest_version"]) == ("retired", 2)


async def test_every_fault_is_answered_with_its_place(api: Api, path: str) -> None:
    where = "event.data.total > 1000 &&\n event.data.sum > 1"
    wrong = {
        "trigger": {**TRIGGER, "where": where},
        "steps": [{"do": "send", "kind": "thanks", "channels": ["fax"], "text": "Thank you"}],
    }
    answer = await api.send("PUT", path, wrong)
    assert (answer.status, answer.code) == (400, "invalid-input")
    channel, condition = answer.json()["errors"]
    assert channel["field"] == "steps[0].channels[0]"
    assert (condition["field"], condition["line"], condition["column"]) == ("trigger.where", 2, 12)
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [{"do": "dance"}]}, "steps[0].do"),
        ({"trigger": {"event": "x", "where": "y" * 2_001}}, "trigger.where"),
        ({"holdout": 101}, "holdout"),
        ({"colour": "red"}, "colour"),
        ({"pattern": {"is": "sum", "of": "1", "over": 2**63, "within": "1m"}}, "pattern.over"),
        ({"limits": {"mass": {"more_than": 2**63, "within": "1m"}}}, "limits.mass.more_than"),
        (
            {"steps": [{"do": "offer", "offer": "o", "expires_in": "1d", "in_total": 2**63}]},
            "steps[0].in_total",
        ),
    ],
)
async def test_what_is_no_rule_is_refused(
    api: Api, path: str, change: dict[str, Any], field: str
) -> None:
    answer = await api.send("PUT", path, {**RULE, **change})
    assert (answer.status, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("duration", ["36 hours", "PT36H", "0h", "36h\n"])
async def test_what_is_no_duration_is_answered_with_one_that_is(
    api: Api, path: str, duration: str
) -> None:
    step = {"do": "wait", "time": duration}
    problem = (await api.send("PUT", path, {**RULE, "steps": [step]})).problem
    assert problem["field"] == "steps[0].time"
    assert problem["detail"].endswith("such as 36h")


async def test_a_rule_within_a_rule_without_end_is_refused(api: Api, path: str) -> None:
    step: dict[str, Any] = {"do": "end"}
    for _ in range(60):
        step = {"do": "branch", "condition": "true", "then": [step]}
    assert (await api.send("PUT", path, {**RULE, "steps": [step]})).status == 400


@pytest.mark.parametrize("name", ["Upper", "a" * 65, "-a", "a%20b"])
async def test_a_name_is_checked(api: Api, name: str) -> None:
    answer = await api.send("PUT", f"/v1/rules/{name}", RULE)
    assert (answer.status, answer.json()["field"]) == (400, "name")


async def test_a_version_that_there_is_not_is_refused(api: Api, path: str) -> None:
    assert (await api.post(f"{path}/go-live", {"version": 1})).status == 404
    await api.send("PUT", path, RULE)
    answer = await api.post(f"{path}/go-live", {"version": 2})
    assert (answer.status, answer.code) == (409, "no-such-rule-version")


async def test_a_version_goes_live_when_its_templates_are_there(api: Api, path: str) -> None:
    template = f"thanks-{uuid4()}"
    send = {"do": "send", "kind": "thanks", "template": template}
    branch = {"do": "branch", "condition": "trigger.data.total > 0", "then": [send]}
    saved = (await api.send("PUT", path, {**RULE, "steps": [branch]})).json()
    assert saved["missing_templates"] == ["steps[0].then[0].template"]
    refused = await api.post(f"{path}/go-live", {"version": 1})
    assert (refused.status, refused.code) == (400, "invalid-input")
    assert refused.problem["field"] == "steps[0].then[0].template"
    assert (await api.read(path))["status"] == "draft"
    words = {"languages": {"en": {"subject": "Thanks", "text": "Hello"}}, "default_language": "en"}
    assert (await api.send("PUT", f"/v1/templates/{template}", words)).status == 200
    assert (await api.post(f"{path}/go-live", {"version": 1})).status == 200


async def test_settings_are_changed_and_read(api: Api) -> None:
    changed = {
        "time_zone": "Europe/Berlin",
        "quiet_hours": {"begin": "21:00", "end": "08:00"},
        "caps": [{"at_most": 3, "within": "1d", "channel": None}],
    }
    assert (await api.send("PUT", "/v1/engagement/settings", changed)).status == 200
    assert await api.read("/v1/engagement/settings") == changed
    await api.send("PUT", "/v1/engagement/settings", {})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"quiet_hours": {"begin": "21:00", "end": "21:00"}}, "quiet_hours.end"),
        ({"caps": [{"at_most": 3, "within": "9999999w"}]}, "caps[0].within"),
        ({"caps": [{"at_most": 3, "within": "1d", "channel": "fax"}]}, "caps[0].channel"),
    ],
)
async def test_settings_are_checked(api: Api, change: dict[str, Any], field: str) -> None:
    answer = await api.send("PUT", "/v1/engagement/settings", change)
    assert (answer.status, answer.json()["field"]) == (400, field)


def run(up: TidingsUp, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        tidings("rules", *arguments),
        env=up.environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_rules_are_written_in_the_terminal(tidings_up: TidingsUp) -> None:
    name = f"rule-{uuid4()}"
    assert "is at version 1." in run(tidings_up, "save", name, "-", given=json.dumps(RULE)).stdout
    shown = run(tidings_up, "show", name).stdout
    assert json.loads(shown)["trigger"]["where"] == TRIGGER["where"]
    assert "is at version 1." in run(tidings_up, "save", name, "-", given=shown).stdout
    live = run(tidings_up, "go-live", name, "--version", "1", "--share", "10")
    assert "is live; live: none, 1 for 10 %." in live.stdout
    assert "is paused" in run(tidings_up, "pause", name).stdout
    assert "is live" in run(tidings_up, "resume", name, "--fire-overdue").stdout
    assert "is retired" in run(tidings_up, "retire", name).stdout
    (line,) = [one for one in run(tidings_up, "list").stdout.splitlines() if name in one]
    assert "retired" in line


def test_a_missing_template_is_said_in_the_terminal(tidings_up: TidingsUp) -> None:
    name, template = f"rule-{uuid4()}", f"thanks-{uuid4()}"
    rule = {**RULE, "steps": [{"do": "send", "kind": "thanks", "template": template}]}
    said = f"steps[0].template: there is no template '{template}' yet"
    saved = run(tidings_up, "save", name, "-", given=json.dumps(rule))
    assert saved.stdout.splitlines()[1] == f"Before it goes live: {said}."
    live = run(tidings_up, "go-live", name, "--version", "1")
    assert (live.returncode, live.stdout, len(live.stderr.splitlines())) == (2, "", 1)
    assert said in live.stderr


def test_ready_made_rules_are_listed_and_printed_with_their_templates(
    tidings_up: TidingsUp,
) -> None:
    listed = run(tidings_up, "examples").stdout
    assert {line.split()[0] for line in listed.splitlines()[1:]} >= set(ready_made.names())
    printed = run(tidings_up, "examples", "win-back").stdout
    assert json.loads(printed)["goal"]["event"] == "order.placed"
    template = run(tidings_up, "examples", "win-back", "--template").stdout
    assert json.loads(template)["default_language"] == "en"


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said"),
    [
        (("examples", "nothing"), "", 1, "there is no ready-made rule 'nothing'"),
        (("examples", "support-burst", "--template"), "", 1, "names no template"),
        (("examples", "--template"), "", 2, "say of which rule"),
        (("save", "wrong", "-"), "[" * 100_000, 2, "at most 65536 bytes"),
        (("save", "wrong", "-"), "[" * 60_000, 2, "FILE"),
        (
            ("save", "wrong", "-"),
            json.dumps({**RULE, "trigger": {**TRIGGER, "where": "event.data.sum > 1"}}),
            2,
            "trigger.where (line 1, column 11): there is no event.data.sum",
        ),
        (
            ("save", "wrong", "-"),
            json.dumps({**RULE, "goal": {"event": "Order Placed", "within": "3 days"}}),
            2,
            "goal.within: a duration is a number",
        ),
        (("pause", "nothing"), "", 1, "no such rule"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    tidings_up: TidingsUp, arguments: tuple[str, ...], given: str, status: int, said: str
) -> None:
    done = run(tidings_up, *arguments, given=given)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


async def test_a_decision_is_shown_explained_and_found_again_by_a_backtest(
    api: Api, path: str
) -> None:
    name, customer_id = path.removeprefix("/v1/rules/"), f"customer-of-{uuid4()}"
    quiet = {**RULE, "trigger": {"event": "Greeted", "where": "event.data.amount > 5"}}
    await api.send("PUT", path, {**quiet, "limits": {"consent": False}})
    await api.post(f"{path}/go-live", {"version": 1})
    event = {"type": "Greeted", "customer_id": customer_id}
    await api.post("/v1/events", {**event, "data": {"amount": 3}})
    why_not = f"{path}/why-not?customer_id={customer_id}"
    told = await api.read(why_not)
    assert (told["reason"], told["attempts"][0]["saw"]) == ("condition", {"event.data.amount": 3})
    await api.post("/v1/events", {**event, "data": {"amount": 7}})
    decisions = f"/v1/customers/{customer_id}/decisions"
    async with asyncio.timeout(20):
        while not (found := (await api.read(f"{decisions}?rule={name}"))["items"]):
            await asyncio.sleep(0.05)
    [made] = found
    assert (made["outcome"], made["inputs"]) == ("acted", {"event.data.amount": 7})
    assert (await api.read(why_not))["decisions"][0]["event_id"] == made["event_id"]
    why = await api.read(f"/v1/events/{made['event_id']}/why")
    assert [link["event"]["type"] for link in why["chain"]] == ["decision.made", "Greeted"]
    assert why["request_id"]

    period = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    tested = await api.post(f"{path}/backtest", {**period, "rule": quiet, "compare_with": 1})
    lines = [json.loads(line) for line in tested.body.splitlines()]
    assert any("progress" in line for line in lines)
    shown = [line["decision"] for line in lines if "decision" in line]
    assert {(each["customer_id"], each["outcome"]) for each in shown} == {
        (customer_id, "held_back"),
        (customer_id, "acted"),
    }
    summary = lines[-1]["summary"]
    assert summary["tested"]["held"] == {"no_consent": 1}
    assert summary["difference"] == {"both": 0, "only_tested": 0, "only_compared": 1}
    wrong = await api.post(
        f"{path}/backtest", {**period, "rule": {**quiet, "steps": [{"do": "send", "kind": "x"}]}}
    )
    assert (wrong.status, wrong.json()["errors"][0]["field"]) == (400, "rule.steps[0]")

    async with asyncio.timeout(20):
        while not (counted := (await api.read(f"/v1/engagement?rule={name}"))["items"]):
            await asyncio.sleep(0.05)
    assert (counted[0]["entered"], counted[0]["outcomes"]) == (1, {"acted": 1})
    assert (await api.read(f"/v1/reaction-times?rule={name}"))["decided"]["count"] == 1


def test_a_backtest_prints_what_came_of_it_and_writes_each_decision(
    tidings_up: TidingsUp, tmp_path: Path
) -> None:
    rule, decisions = tmp_path / "rule.json", tmp_path / "decisions.csv"
    rule.write_text(json.dumps(RULE))
    period = ["--from", "2000-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"]
    arguments = ["backtest", "thanks", *period, "--rule", str(rule)]
    done = run(tidings_up, *arguments, "--decisions", str(decisions))
    assert done.returncode == 0, done.stderr
    assert "customers decided on" in done.stdout
    assert decisions.read_text().startswith("at,customer_id,version,step,outcome,held,did,compared")
    refused = run(tidings_up, "backtest", "nothing", *period)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
