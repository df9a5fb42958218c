"""Metrics: few labels whatever is asked, and one answer for several processes."""

import subprocess
import sys
from pathlib import Path

import pytest
from litestar import get
from litestar.params import FromPath

from app.http.asgi import App
from app.http.metrics import SHARED_DIRECTORY_VARIABLE, Metrics
from app.kernel.metrics import UNMEASURED, Counter, Gauge, Histogram
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio


@get("/v1/customers/{customer_id:str}")
async def show_customer(customer_id: FromPath[str]) -> dict[str, str]:
    return {"id": customer_id}


async def series(app: App) -> list[str]:
    """The series of requests, with their values."""
    answer = await ask(app, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return [
        line
        for line in answer.body.decode().splitlines()
        if line.startswith("tidings_http_requests_total")
    ]


async def test_requests_are_counted_by_route_and_not_by_path() -> None:
    app = app_of(show_customer)
    for number in range(3):
        await ask(app, "GET", f"/v1/customers/{number}")
        await ask(app, "GET", f"/nowhere/{number}")
        await ask(app, f"BREW{number}", f"/v1/customers/{number}")
        await ask(app, "GET", f"/v1/customers/{number}%00")

    assert sorted(await series(app)) == [
        'tidings_http_requests_total{method="GET",route="/v1/customers/{customer_id}",status="200"}'
        " 3.0",
        'tidings_http_requests_total{method="GET",route="unmatched",status="400"} 3.0',
        'tidings_http_requests_total{method="GET",route="unmatched",status="404"} 3.0',
        'tidings_http_requests_total{method="other",route="unmatched",status="405"} 3.0',
    ]


async def test_a_head_request_is_counted_as_one() -> None:
    app = app_of(show_customer)
    await ask(app, "HEAD", "/v1/customers/ada")

    assert 'method="HEAD",route="/v1/customers/{customer_id}"' in "".join(await series(app))


async def test_the_duration_of_requests_is_measured() -> None:
    app = app_of(show_customer)
    await ask(app, "GET", "/v1/customers/ada")

    exposition = (await ask(app, "GET", "/metrics")).body.decode()

    assert (
        'tidings_http_request_duration_seconds_count{method="GET",'
        'route="/v1/customers/{customer_id}"} 1.0'
    ) in exposition


def test_what_prometheus_offers_fits_the_kernels_ports() -> None:
    metrics = Metrics()
    counter: Counter = metrics.counter("tidings_things_total", "Things.")
    gauge: Gauge = metrics.gauge("tidings_lag_events", "Lag.")
    histogram: Histogram = metrics.histogram(
        "tidings_group_events", "Events a group.", buckets=(1, 10)
    )
    counter.inc()
    gauge.set(5)
    histogram.observe(3)

    exposition = metrics.exposition().decode()

    assert "tidings_things_total 1.0" in exposition
    assert "tidings_lag_events 5.0" in exposition
    assert 'tidings_group_events_bucket{le="10.0"} 1.0' in exposition


def test_what_nobody_measures_costs_nothing_and_fails_never() -> None:
    counter: Counter = UNMEASURED
    gauge: Gauge = UNMEASURED
    histogram: Histogram = UNMEASURED

    counter.inc()
    gauge.set(1)
    histogram.observe(1)


PROCESS = """
from app.http.metrics import Metrics
metrics = Metrics()
metrics.counter("things_total", "Things.").inc(3)
metrics.gauge("lag_events", "Lag.").set(5)
print(metrics.exposition().decode())
"""


def run_process(directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        env={SHARED_DIRECTORY_VARIABLE: str(directory)},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_one_process_answers_for_all_that_share_a_directory(tmp_path: Path) -> None:
    run_process(tmp_path)
    second = run_process(tmp_path)

    assert "things_total 6.0" in second
    assert "lag_events 5.0" in second
