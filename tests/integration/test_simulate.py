"""`tidings simulate`, run twice against a real API."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.access import AUTHORIZATION, KEY
from tests.fixtures.tidings_up import TidingsUp, environment, free_port, tidings, until

TIMEOUT_SECONDS = 120
CROWD = ("--customers", "12", "--events", "150", "--events-per-s", "2000")

SUMMARY = re.compile(
    r"(\S+) sent: (\S+) recorded, (\S+) recorded before, (\S+) refused as they should be, "
    r"(\S+) rejected"
)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TidingsUp]:
    running = TidingsUp(tmp_path_factory.mktemp("simulate"))
    try:
        yield running.start()
    finally:
        running.close()


def simulate(up: TidingsUp, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        tidings("simulate", "--url", up.url, *options),
        capture_output=True,
        text=True,
        env=environment(api_key=KEY),
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def counts(output: str) -> list[int]:
    found = SUMMARY.search(output)
    assert found, output
    return [int(number.replace(",", "")) for number in found.groups()]


def read(up: TidingsUp, path: str) -> Any:
    connection = HTTPConnection("127.0.0.1", up.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Authorization": AUTHORIZATION})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return json.load(answer)
    finally:
        connection.close()


def log(up: TidingsUp) -> list[Any]:
    events: list[Any] = []
    while True:
        after = events[-1]["position"] if events else 0
        items = read(up, f"/v1/events?after={after}&limit=1000")["items"]
        if not items:
            return events
        events += items


def head(up: TidingsUp) -> int:
    position: int = log(up)[-1]["position"]
    return position


def sent_to(up: TidingsUp) -> int:
    """How many events clients have sent; reactions and timers go on meanwhile."""
    return sum(event["metadata"].get("actor", "").startswith("key:") for event in log(up))


def test_a_second_run_repeats_the_first_and_adds_nothing(up: TidingsUp) -> None:
    crowd = ("--seed", "3", *CROWD)
    first = simulate(up, *crowd)
    assert first.returncode == 0, first.stdout + first.stderr
    sent, recorded, repeated, refused, rejected = counts(first.stdout)
    assert recorded > sent / 2
    assert (repeated + refused, rejected) == (sent - recorded, 0)
    in_the_log = sent_to(up)

    second = simulate(up, *crowd)
    assert second.returncode == 0, second.stdout + second.stderr
    assert counts(second.stdout) == [sent, 0, sent - refused, refused, 0]
    assert sent_to(up) == in_the_log

    larger = simulate(up, "--seed", "3", "--customers", "15", *CROWD[2:])
    assert larger.returncode == 0, larger.stdout + larger.stderr
    _, recorded, repeated, _, rejected = counts(larger.stdout)
    assert recorded > 0
    assert repeated > 0
    assert rejected == 0


def test_all_businesses_are_played_and_react(up: TidingsUp) -> None:
    crowd = ("--seed", "12", "--customers", "20", "--events", "900", *CROWD[4:])
    played = simulate(up, *crowd, "--rules")
    assert played.returncode == 0, played.stdout + played.stderr
    expected = {
        "cart.checked_out", "order.confirmed", "order.delivered", "payment.captured",
        "inventory.shipped", "ride.claimed", "ride.completed", "transaction.held",
        "transaction.released", "support.question_acknowledged", "support.question_resolved",
        "playback.finished", "subscription.started", "message.requested", "message.read",
        "decision.made",
    }  # fmt: skip
    until(lambda: expected <= {event["type"] for event in log(up)}, "every business to react")


def test_the_timeline_that_it_shows_is_rich(up: TidingsUp) -> None:
    output = simulate(up, *CROWD).stdout
    (path,) = re.findall(rf"curl -u \S+ {up.url}(/\S+/timeline)", output)
    items = read(up, f"{path}?limit=200&min_position={head(up)}")["items"]
    assert {"customer.registered", "customer.identity_linked"} <= {item["type"] for item in items}
    assert any(item["customer_id"].startswith("~visitor") for item in items)
    times = [item["occurred_at"] for item in items]
    assert times == sorted(times, reverse=True)


def test_ctrl_c_ends_it_with_the_summary(up: TidingsUp) -> None:
    process = subprocess.Popen(
        tidings(
            "simulate", "--url", up.url, "--seed", "2", "--events-per-s", "200", "--duration", "999"
        ),
        stdout=subprocess.PIPE,
        env=environment(api_key=KEY),
        text=True,
    )
    try:
        before = head(up)
        while head(up) < before + 700:  # so that it is among the live events
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + signal.SIGINT
    assert counts(output)[-1] == 0


def test_without_an_api_it_says_so_in_one_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    failed = subprocess.run(
        tidings("simulate", "--url", url),
        capture_output=True,
        text=True,
        env=environment(data_dir=tmp_path, api_key=KEY),
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr == f"tidings: nothing answers at {url}; is `tidings up` running?\n"
