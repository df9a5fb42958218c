"""Five times more than the server can take: it answers what it can, refuses the rest, and lives."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.scale import FULL, rounds
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

OVERLOAD_S = rounds(few=5, full=120)
UNLOADED_S = rounds(few=2, full=20)
RECOVERY_S = 10 if FULL else 60
TIMES = 5
LEAST_SHARE_OF_THROUGHPUT = 0.8
MEMORY_CAP_MIB = 768
"""As docs/how-to/limit-and-withstand-load.md declares it, of one worker process."""
SENDERS = 16
BATCH_EVENTS = 200
TICK_S = 0.02

BATCH = json.dumps(
    [
        {"type": "Seen", "customer_id": f"customer-{number}", "data": {"note": "x" * 150}}
        for number in range(BATCH_EVENTS)
    ]
).encode()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[TidingsUp]:
    tidings = TidingsUp(tmp_path, max_requests_per_s=0, max_events_per_s=0)
    try:
        yield tidings.start()
        assert tidings.stop() == 0, tidings.tail()
    finally:
        tidings.close()


@pytest.fixture
async def api(running: TidingsUp) -> AsyncIterator[Api]:
    async with api_of(running.url) as client:
        yield client


class Load:
    """Batches that are sent, and how they were answered."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.statuses: Counter[int] = Counter()
        self.unexplained: list[str] = []

    async def send(self) -> None:
        """One batch."""
        answer = await self._api.send("POST", "/v1/events", BATCH)
        self.statuses[answer.status] += 1
        if answer.status != 200 and "retry-after" not in answer.headers:
            self.unexplained.append(str(answer))

    async def keep_busy(self, seconds: float) -> float:
        """As much as some senders get through who wait for each answer: batches a second."""
        end = monotonic() + seconds

        async def send_for_a_while() -> None:
            while monotonic() < end:
                await self.send()

        await asyncio.gather(*(send_for_a_while() for _ in range(SENDERS)))
        return self.statuses[200] / seconds

    async def overload(self, per_s: float, seconds: float) -> float:
        """So many a second, whatever becomes of them: batches that are recorded a second."""
        start = monotonic()
        sent, taken, sending = 0, 0, set[asyncio.Task[None]]()
        while (elapsed := monotonic() - start) < seconds:
            while sent < elapsed * per_s:
                sent += 1
                task = asyncio.create_task(self.send())
                sending.add(task)
                task.add_done_callback(sending.discard)
            await asyncio.sleep(TICK_S)
        taken = self.statuses[200]
        await asyncio.gather(*sending)
        return taken / seconds


def peak_memory_mib(pid: int) -> float:
    """The most that a process has held at a time."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) / 1024


async def test_under_five_times_its_load_the_server_refuses_what_is_too_much_and_recovers(
    running: TidingsUp, api: Api
) -> None:
    worker = running.children()["api-1"]
    unloaded = await Load(api).keep_busy(UNLOADED_S)

    load = Load(api)
    loaded = await load.overload(TIMES * unloaded, OVERLOAD_S)

    print(f"{unloaded:.0f} batches/s unloaded, {loaded:.0f} under load: {dict(load.statuses)}")
    print(f"{peak_memory_mib(worker):.0f} MiB at the most")
    assert load.statuses.keys() <= {200, 429, 503}
    assert load.statuses[200]
    assert not load.unexplained
    assert peak_memory_mib(worker) < MEMORY_CAP_MIB
    assert running.children()["api-1"] == worker, "it was started again"
    if FULL:
        assert loaded >= LEAST_SHARE_OF_THROUGHPUT * unloaded

    async def is_well() -> bool:
        return (await api.send("POST", "/v1/events", BATCH)).status == 200

    await until_async(is_well, seconds=RECOVERY_S)
