"""Whatever is killed while clients send and read: what was acknowledged is there once, read models
equal a fold of the log, live streams have no gap, and everything comes back by itself.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from app.embedded import find_running
from tests.faults.load import COUNTED, CUSTOMERS, Load, Remembered
from tests.faults.scale import rounds
from tests.fixtures.api import Api, api_of
from tests.fixtures.folding import Folded, Log, check_dense, with_times
from tests.fixtures.tidings_up import TidingsUp, processes_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SEED = 7
PAUSE_BETWEEN_KILLS_S = (0.2, 1.0)
REQUEST_TIMEOUT_S = 10
CHILDREN = {"postgres", "projector", "reactor", "courier", "api-1", "api-2"}

Kill = Callable[[TidingsUp], None]


@pytest.fixture
def tidings_up(tmp_path: Path) -> Iterator[TidingsUp]:
    """One that may be killed."""
    running = TidingsUp(tmp_path, "--workers", "2")
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
async def api(tidings_up: TidingsUp) -> AsyncIterator[Api]:
    """A client that does not wait for long."""
    async with api_of(tidings_up.url, timeout_seconds=REQUEST_TIMEOUT_S) as client:
        yield client


def child(name: str, signum: signal.Signals = signal.SIGKILL) -> Kill:
    def kill(up: TidingsUp) -> None:
        with suppress(ProcessLookupError):
            os.kill(up.children()[name], signum)

    return kill


def backends(up: TidingsUp) -> None:
    """Every connection to PostgreSQL is ended, as when a network goes."""
    dsn = find_running(up.data_dir)
    assert dsn
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def stall(up: TidingsUp) -> None:
    """A worker stands still for a moment, in the middle of whatever it does."""
    child("api-1", signal.SIGSTOP)(up)
    time.sleep(1)
    child("api-1", signal.SIGCONT)(up)


def supervisor(up: TidingsUp) -> None:
    """All of it is gone at once, leaves nothing behind, and is started again."""
    up.kill()
    until(lambda: not processes_of(up.folder), "nothing to be left of what was killed")
    up.start()


def stop(up: TidingsUp) -> None:
    """It is stopped in the middle of it all, and started again."""
    assert up.stop() == 0, up.tail()
    assert not processes_of(up.folder)
    up.start()


KILLS: dict[str, Kill] = {
    "api-1": child("api-1"),
    "projector": child("projector"),
    "reactor": child("reactor"),
    "courier": child("courier"),
    "postmaster": child("postgres"),
    "backends": backends,
    "pg_ctl -m immediate": child("postgres", signal.SIGQUIT),
    "api-2": child("api-2"),
    "stall": stall,
    "supervisor": supervisor,
    "stop": stop,
}
EVERY_ONE_TOGETHER = ("api-1", "projector", "reactor", "courier", "postmaster", "api-2")


def chosen(chance: random.Random, number: int) -> list[str]:
    """What is killed at once: first each in its turn, then some that chance picks."""
    if number < len(KILLS):
        return [list(KILLS)[number]]
    if number == len(KILLS):
        return list(EVERY_ONE_TOGETHER)
    return chance.sample(list(KILLS), chance.choice([1, 1, 1, 2, 3]))


async def test_whatever_is_killed_what_was_acknowledged_is_there_once(
    tidings_up: TidingsUp, api: Api
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    load = Load(api, SEED)
    heard = asyncio.create_task(load.listener.listen())
    clients = asyncio.create_task(load.run())
    for number in range(rounds(len(KILLS) + 1, 200)):
        await asyncio.sleep(chance.uniform(*PAUSE_BETWEEN_KILLS_S))
        names = chosen(chance, number)
        print("kill", *names)
        for name in names:
            await asyncio.to_thread(KILLS[name], tidings_up)
        await asyncio.to_thread(until_back, tidings_up)
        assert not clients.done(), clients.result()
    load.stop()
    await clients
    log = await api.log()
    check_dense(log)
    check_acknowledged(log, load.remembered)
    await check_read_models(api, log, load.remembered)
    await check_heard(load, log, heard)


def until_back(up: TidingsUp) -> None:
    """Everything has come back by itself."""

    def is_back() -> bool:
        assert up.process.poll() is None, up.tail()
        return {name for name, pid in up.children().items() if lives(pid)} == CHILDREN

    until(is_back, f"all children to be back:\n{up.tail()}")
    until(lambda: up.answers("/health/ready"), f"the API to serve again:\n{up.tail()}")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or while it is read
        return False


def check_acknowledged(log: Log, remembered: Remembered) -> None:
    """The log holds what was acknowledged, where that was said, once, and nothing else."""
    sent = {event["data"]["id"]: event for event in log if event["stream"].startswith("activity-")}
    recorded = Counter(e["data"]["id"] for e in log if e["stream"].startswith("activity-"))
    assert set(recorded.values()) == {1}
    assert recorded.keys() == remembered.events.keys()
    for sent_id, (position, event) in remembered.events.items():
        assert sent[sent_id]["position"] == position
        assert sent[sent_id]["type"] == event["type"]
        whose = event.get("customer_id") or f"~{event['anonymous_id']}"
        assert sent[sent_id]["customer_id"] == whose
    others = ("activity-", "api-key-", "cart_visitor-")  # the last one is the reactor's
    ours = {e["event_id"]: e for e in log if not e["stream"].startswith(others)}
    told = [event for answer in remembered.commands for event in answer["events"]]
    assert Counter(event["event_id"] for event in told) == Counter(ours.keys())
    for event in told:
        fields = ("position", "stream", "version", "type")
        assert [event[name] for name in fields] == [
            ours[event["event_id"]][name] for name in fields
        ]
    counts = [e["data"]["traits"]["count"] for e in log if e["stream"] == f"customer-{COUNTED}"]
    assert counts == list(range(1, remembered.increments + 1))
    assert not remembered.stale_reads


async def check_read_models(api: Api, log: Log, remembered: Remembered) -> None:
    """Both equal a plain fold of the log."""
    folded = Folded(log, remembered.visitors)
    assert {COUNTED, *CUSTOMERS} <= set(folded.ids)
    where = {"min_position": log[-1]["position"]}
    for customer_id in folded.ids:
        entries = await api.all_items(f"/v1/customers/{customer_id}/timeline", limit=200, **where)
        assert [entry["position"] for entry in entries] == folded.timeline(customer_id)
        target = f"/v1/customers/{customer_id}?min_position={where['min_position']}"
        profile = await api.read(target)
        assert with_times(profile) == folded.profile(customer_id)
    listed = await api.all_items("/v1/customers", limit=200)
    known = [customer_id for customer_id in folded.ids if not customer_id.startswith("~")]
    assert [customer["customer_id"] for customer in listed] == known


async def check_heard(load: Load, log: Log, heard: "asyncio.Task[None]") -> None:
    """The live stream has told everything of its customer, in order, without gap or repeat.

    What visitors did before they were linked is on the timeline, but is no news when they are.
    """
    own = [event["position"] for event in log if event["customer_id"] == CUSTOMERS[0]]
    async with asyncio.timeout(30):
        while not load.listener.heard or load.listener.heard[-1] < own[-1]:
            assert not heard.done(), heard.result()
            await asyncio.sleep(0.05)
    heard.cancel()
    with suppress(asyncio.CancelledError):
        await heard
    positions = load.listener.heard
    assert positions == sorted(set(positions))
    visits = set(positions) - set(own)
    assert [position for position in positions if position not in visits] == own
    assert all(log[position - 1]["customer_id"].startswith("~") for position in visits)
