"""Whatever is killed while events are sent: what was acknowledged is there once, read models equal
the fold of the log, and everything comes back by itself.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from app.embedded import find_running
from tests.faults.scale import rounds
from tests.fixtures.tidings_up import TidingsUp, until

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SENDERS = 4
CUSTOMERS = [f"customer-{number}" for number in range(12)]
BATCH_EVENTS = 15
PAUSES_BETWEEN_KILLS_S = (0.3, 1.2)
TIMEOUT = aiohttp.ClientTimeout(total=15)

Kill = Callable[[TidingsUp], None]


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[TidingsUp]:
    up = TidingsUp(tmp_path, "--workers", "2")
    try:
        await asyncio.to_thread(up.start)
        yield up
    finally:
        await asyncio.to_thread(up.close)


@pytest.mark.parametrize("seed", [7])
async def test_what_was_acknowledged_survives_the_death_of_everything(
    everything: TidingsUp, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    stop = asyncio.Event()
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        senders = [
            asyncio.create_task(_send_until(stop, http, everything.url, number))
            for number in range(SENDERS)
        ]
        for number in range(rounds(len(KILLS), 200)):
            await asyncio.sleep(chance.uniform(*PAUSES_BETWEEN_KILLS_S))
            kill = KILLS[number] if number < len(KILLS) else chance.choice(KILLS)
            await asyncio.to_thread(kill, everything)
            await asyncio.to_thread(_until_serving, everything)
        stop.set()
        acknowledged = {
            key: where for sender in await asyncio.gather(*senders) for key, where in sender
        }
        log = await _log_of(http, everything.url)
        _check_log(log, acknowledged)
        await _check_read_models(http, everything.url, log)
    until(lambda: len(_living(everything)) == 4, "postgres, projector and two workers to live")


async def _send_until(
    stop: asyncio.Event, http: aiohttp.ClientSession, url: str, sender: int
) -> list[tuple[str, int]]:
    """Send events, each until it is acknowledged; the ids of all, and where they stand."""
    chance = random.Random(sender)
    acknowledged: list[tuple[str, int]] = []
    number = 0
    while not stop.is_set():
        batch = [
            {
                "id": f"{sender}-{number + offset}",
                "type": "Product Added",
                "customer_id": chance.choice(CUSTOMERS),
                "data": {"id": f"{sender}-{number + offset}"},
            }
            for offset in range(chance.choice([1, BATCH_EVENTS]))
        ]
        number += len(batch)
        outcomes = await _send(http, url, batch)
        keys = [str(event["id"]) for event in batch]
        acknowledged += zip(keys, [outcome["position"] for outcome in outcomes], strict=True)
    return acknowledged


async def _send(
    http: aiohttp.ClientSession, url: str, batch: Sequence[Mapping[str, object]]
) -> Sequence[Mapping[str, Any]]:
    """Send a batch again and again, until it is answered; no answer means: unknown."""
    async with asyncio.timeout(120):
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(f"{url}/v1/events", json=batch) as response:
                    if response.status == 200:
                        outcomes: list[Mapping[str, Any]] = await response.json()
                        assert {o["outcome"] for o in outcomes} <= {"recorded", "repeated"}
                        return outcomes
                    assert response.status == 503, await response.text()
            await asyncio.sleep(0.05)


def _kill_child(name: str, signum: signal.Signals = signal.SIGKILL) -> Kill:
    def kill(up: TidingsUp) -> None:
        with suppress(ProcessLookupError):
            os.kill(up.children()[name], signum)

    return kill


def _terminate_backends(up: TidingsUp) -> None:
    dsn = find_running(up.data_dir)
    assert dsn
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def _kill_the_supervisor(up: TidingsUp) -> None:
    children = up.children().values()
    up.kill()
    until(lambda: not any(map(_lives, children)), "the children of a killed supervisor to end")
    up.start()


KILLS: Sequence[Kill] = (
    _kill_child("api-1"),
    _kill_child("projector"),
    _kill_child("postgres"),
    _terminate_backends,
    _kill_child("postgres", signal.SIGQUIT),  # what pg_ctl -m immediate sends
    _kill_child("api-2"),
    _kill_the_supervisor,
)


def _until_serving(up: TidingsUp) -> None:
    until(lambda: up.answers("/health/ready"), f"the API to serve again:\n{up.tail()}")


def _living(up: TidingsUp) -> list[int]:
    return [pid for pid in up.children().values() if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _get(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def _log_of(http: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []
    while True:
        after = log[-1]["position"] if log else 0
        page = await _get(http, f"{url}/v1/events?after={after}&limit=1000")
        log += page["items"]
        if not page["next_cursor"]:
            return log


def _check_log(log: Sequence[Mapping[str, Any]], acknowledged: Mapping[str, int]) -> None:
    assert [event["position"] for event in log] == list(range(1, len(log) + 1))
    versions: Counter[str] = Counter()
    for event in log:
        versions[event["stream"]] += 1
        assert event["version"] == versions[event["stream"]]
    recorded = {event["data"]["id"]: event["position"] for event in log}
    assert len(recorded) == len(log), "an event was recorded twice"
    assert recorded == acknowledged


async def _check_read_models(
    http: aiohttp.ClientSession, url: str, log: Sequence[Mapping[str, Any]]
) -> None:
    head = log[-1]["position"]
    for customer_id in {event["customer_id"] for event in log}:
        expected = [event["position"] for event in log if event["customer_id"] == customer_id]
        profile = await _get(http, f"{url}/v1/customers/{customer_id}?min_position={head}")
        assert profile["events"] == len(expected)
        entries: list[int] = []
        target = f"{url}/v1/customers/{customer_id}/timeline?limit=200&min_position={head}"
        cursor: str | None = ""
        while cursor is not None:
            page = await _get(http, target + (f"&cursor={cursor}" if cursor else ""))
            entries += [entry["position"] for entry in page["items"]]
            cursor = page["next_cursor"]
        assert sorted(entries) == expected
