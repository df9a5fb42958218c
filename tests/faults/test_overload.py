"""Five times more than the server can take: it answers what it can, refuses the rest, and lives."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.faults import sender
from tests.faults.memory import MEMORY_CAP_MIB, peak_memory_mib
from tests.faults.scale import FULL, rounds
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

ROUNDS = rounds(few=1, full=4)
"""Of load and none in turns: the machine has moods, and read models catch up all the while."""
OVERLOAD_S = rounds(few=5, full=30)
UNLOADED_S = rounds(few=2, full=8)
RECOVERY_S = 10 if FULL else 60
TIMES = 5
LEAST_SHARE_OF_THROUGHPUT = 0.8
SENDERS = 16
MAX_CONNECTIONS = 4_000
"""Fewer than a process takes, and more than wait for answers in one that sheds."""


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


async def test_under_five_times_its_load_the_server_refuses_what_is_too_much_and_recovers(
    running: TidingsUp, api: Api
) -> None:
    worker = running.children()["api-1"]
    unloaded = [await sender.run(running.port, UNLOADED_S, SENDERS)]
    loaded: list[sender.Sent] = []
    for _ in range(ROUNDS):
        rate = TIMES * unloaded[-1].recorded_per_s
        loaded.append(await sender.run(running.port, OVERLOAD_S, MAX_CONNECTIONS, rate))
        unloaded.append(await sender.run(running.port, UNLOADED_S, SENDERS))

    peak_mib = peak_memory_mib(worker)
    shares = [
        2 * sent.recorded_per_s / (before.recorded_per_s + after.recorded_per_s)
        for before, sent, after in zip(unloaded, loaded, unloaded[1:], strict=False)
    ]
    for sent, share in zip(loaded, shares, strict=True):
        print(f"{share:.2f} of the unloaded throughput: {sent}")
    print(f"{peak_mib:.0f} MiB at the most")
    assert all(sent.statuses.keys() == {200} for sent in unloaded)
    for sent in loaded:
        assert sent.statuses.keys() <= {200, 429, 503}
        assert (sent.unexplained, sent.lost, sent.unsent) == (0, 0, 0)
    assert peak_mib < MEMORY_CAP_MIB
    assert running.children()["api-1"] == worker, "it was started again"
    if FULL:
        assert all(503 in sent.statuses for sent in loaded), "it was no overload"
        assert median(shares) >= LEAST_SHARE_OF_THROUGHPUT
        assert max(sent.answered_after_s for sent in loaded) <= RECOVERY_S

    async def is_well() -> bool:
        return (await api.send("POST", "/v1/events", sender.BATCH)).status == 200

    await until_async(is_well, seconds=RECOVERY_S)
