"""Five times more than the server can take: it answers what it can, refuses the rest, and lives."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults import sender
from tests.faults.memory import MEMORY_CAP_MIB, peak_memory_mib
from tests.faults.scale import FULL, rounds
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

OVERLOAD_S = rounds(few=5, full=120)
UNLOADED_S = rounds(few=2, full=20)
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
    before = await sender.run(running.port, UNLOADED_S, SENDERS)

    sent = await sender.run(
        running.port, OVERLOAD_S, MAX_CONNECTIONS, TIMES * before.recorded_per_s
    )

    peak_mib = peak_memory_mib(worker)
    # Before and after: read models catch up all the while, and the machine has moods.
    after = await sender.run(running.port, UNLOADED_S, SENDERS)
    unloaded_per_s = (before.recorded_per_s + after.recorded_per_s) / 2
    share = sent.recorded_per_s / unloaded_per_s
    print(
        f"{before.recorded_per_s:.0f}, {after.recorded_per_s:.0f} batches/s unloaded, {share:.2f}"
    )
    print(f"of it under load: {sent}")
    print(f"{peak_mib:.0f} MiB at the most")
    assert before.statuses.keys() == after.statuses.keys() == {200}
    assert sent.statuses.keys() <= {200, 429, 503}
    assert (sent.unexplained, sent.lost, sent.unsent) == (0, 0, 0)
    assert peak_mib < MEMORY_CAP_MIB
    assert running.children()["api-1"] == worker, "it was started again"
    if FULL:
        assert 503 in sent.statuses, "it was no overload"
        assert share >= LEAST_SHARE_OF_THROUGHPUT
        assert sent.answered_after_s <= RECOVERY_S

    async def is_well() -> bool:
        return (await api.send("POST", "/v1/events", sender.BATCH)).status == 200

    await until_async(is_well, seconds=RECOVERY_S)
