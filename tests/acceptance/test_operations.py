"""What those who run Tidings see: health, metrics, the greeting, the log."""

import asyncio
import json
import re
from functools import partial
from uuid import uuid4

import pytest

from app.bootstrap.projections import PROJECTION_NAMES
from tests.fixtures.api import Api
from tests.fixtures.tidings_up import TidingsUp, until

pytestmark = pytest.mark.anyio

METRICS = {
    "tidings_http_requests_total": "counter",
    "tidings_http_request_duration_seconds": "histogram",
    "tidings_authentication_failures_total": "counter",
    "tidings_append_group_events": "histogram",
    "tidings_append_group_seconds": "histogram",
    "tidings_projection_lag_events": "gauge",
    "tidings_projection_lag_seconds": "gauge",
    "tidings_projection_parked_keys": "gauge",
    "tidings_reactor_lag_events": "gauge",
    "tidings_reactor_lag_seconds": "gauge",
    "tidings_reactor_parked_keys": "gauge",
    "tidings_timers_overdue": "gauge",
    "tidings_reactions_total": "counter",
    "tidings_timer_lateness_seconds": "histogram",
}
SAMPLE = re.compile(r"^([a-z_]+)(\{.*\})? (\S+)$")


async def samples_of(api: Api) -> dict[str, float]:
    """The value of each series, by its name with labels."""
    answer = await api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    found = [SAMPLE.match(line) for line in lines]
    assert all(found)
    return {f"{m[1]}{m[2] or ''}": float(m[3]) for m in found if m}


async def test_health_says_live_and_ready(api: Api) -> None:
    assert (await api.get("/health/live")).json() == {"status": "live"}
    ready = (await api.get("/health/ready")).json()
    assert ready["status"] == "ready"
    assert set(ready["checks"].values()) == {"ok"}


async def test_metrics_tell_of_requests_groups_and_lag(api: Api) -> None:
    text = (await api.get("/metrics")).body.decode()
    for name, kind in METRICS.items():
        assert f"# TYPE {name} {kind}" in text
    for name in PROJECTION_NAMES:
        for of_each in ("lag_events", "lag_seconds", "parked_keys"):
            assert f'tidings_projection_{of_each}{{projection="{name}"}}' in text


async def test_projections_are_listed_as_they_are(api: Api) -> None:
    [outcome] = await api.record({"type": "Seen", "customer_id": "ann", "data": {}})
    await api.read(f"/v1/customers/ann?min_position={outcome['position']}")
    items = (await api.read("/v1/projections"))["items"]
    assert {item["name"] for item in items} == set(PROJECTION_NAMES)
    for item in items:
        assert item["state"] in {"running", "rebuilding"}
        [read] = [each for each in item["generations"] if each["is_read"]]
        assert read["parked_keys"] == 0
        assert (await api.read(f"/v1/projections/{item['name']}/parked"))["items"] == []


async def test_reactions_are_shown_as_they_are(api: Api) -> None:
    await api.record({"type": "Seen", "customer_id": "ann", "data": {}})
    async with asyncio.timeout(20):
        while True:
            status = await api.read("/v1/reactions")
            [shard] = status["shards"]
            engine = status["engagement"] or {"lag_events": None}
            if shard["lag_events"] == engine["lag_events"] == 0:
                break
            await asyncio.sleep(0.05)
    assert (engine["shard"], engine["parked_keys"], engine["last_error"]) == (0, 0, None)
    assert (shard["shard"], shard["parked_keys"], shard["last_error"]) == (0, 0, None)
    waiting = await api.all_items("/v1/timers")  # other tests' timers, too
    assert status["timers"] == {
        "waiting": len(waiting), "overdue": 0, "lateness_seconds": 0,
    }  # fmt: skip


async def test_timers_are_paged_with_whose_they_are(api: Api) -> None:
    ride, customer_id = f"ride-of-{uuid4()}", f"customer-of-{uuid4()}"
    asked = {"customer_id": customer_id, "pickup": "here", "dropoff": "there"}
    for number in range(2):
        await api.post(f"/v1/rides/{ride}-{number}/request", asked)
    target = f"/v1/timers?prefix=search:ride-{ride}"
    async with asyncio.timeout(20):
        while len(timers := (await api.read(target))["items"]) < 2:
            await asyncio.sleep(0.05)
    assert {timer["customer_id"] for timer in timers} == {customer_id}
    first = await api.read(f"{target}&limit=1")
    second = await api.read(f"{target}&limit=1&cursor={first['next_cursor']}")
    assert [*first["items"], *second["items"]] == timers
    assert second["next_cursor"] is None


async def test_each_request_and_event_is_counted_whichever_worker_has_it(api: Api) -> None:
    recorded = 'tidings_http_requests_total{method="POST",route="/v1/events",status="200"}'
    event = {"type": "Seen", "customer_id": "ann", "data": {}}
    before = await samples_of(api)
    for _ in range(20):
        await api.record(event, event, event)
    await api.get(f"/v1/customers/{uuid4()}")
    after = await samples_of(api)
    assert after[recorded] - before.get(recorded, 0) == 20
    grown = "tidings_append_group_events_sum"
    assert after[grown] - before.get(grown, 0) == 60
    assert not any("/v1/customers/" in name and "{customer_id}" not in name for name in after)


async def test_the_log_is_json_and_holds_nobodys_data(api: Api, tidings_up: TidingsUp) -> None:
    secret = uuid4().hex
    await api.record({"type": secret, "customer_id": "ann", "data": {"card": secret}})
    await api.post("/v1/events", f'{{"type": "{secret}", '.encode())
    await api.post("/v1/customers/ann/link-identity", {"kind": "fax", "value": secret})
    await api.get(f"/v1/customers?trait={secret}&limit=0")
    await api.get(f"/v1/nothing?token={secret}", X_Request_Id="the-one-to-find")
    # A line is written once its answer is sent.
    found = partial(until, lambda: "the-one-to-find" in tidings_up.output(), "the last line")
    await asyncio.to_thread(found)
    output = tidings_up.output()
    assert secret not in output
    assert secret not in (tidings_up.data_dir / "postgres.log").read_text()
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert {"event", "level", "timestamp", "process"} <= set.intersection(*map(set, lines))
    [failed] = [line for line in lines if line.get("request_id") == "the-one-to-find"]
    assert (failed["method"], failed["path"], failed["status"]) == ("GET", "/v1/nothing", 404)


async def test_the_greeting_shows_how_to_begin(tidings_up: TidingsUp) -> None:
    greeting = tidings_up.output()
    assert f"Tidings is up at {tidings_up.url}" in greeting
    assert f'curl -u "$TIDINGS_API_KEY:" {tidings_up.url}/v1/events' in greeting
    assert f'curl -u "$TIDINGS_API_KEY:" {tidings_up.url}/v1/customers/ann/timeline' in greeting
    assert f"simulate --url {tidings_up.url}" in greeting


async def test_the_secret_and_the_data_are_for_their_owner_alone(tidings_up: TidingsUp) -> None:
    assert (tidings_up.data_dir / "secret").stat().st_mode & 0o777 == 0o600
    assert (tidings_up.data_dir / "postgres").stat().st_mode & 0o077 == 0
    assert tidings_up.data_dir.stat().st_mode & 0o077 == 0
