"""Clients ask for as much as there is, and read nothing of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.faults.memory import MEMORY_CAP_MIB, peak_memory_mib
from tests.faults.scale import rounds
from tests.fixtures.api import Api, api_of, raw_request, until_async
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

READERS = rounds(few=80, full=1_600)
EVENTS = rounds(few=150, full=1_000)
NOTE = "x" * 60_000
"""Of an event that is about as large as one may be."""
BATCH_EVENTS = 10
DEADLINE_S = 120

TARGETS = {
    "/v1/events?limit=1000": {},
    "/v1/customers/ann/timeline?limit=200": {},
    "/v1/customers/ann/export": {},
    "/v1/customers/ann/timeline/live": {"Last_Event_ID": "0"},
}


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


async def test_readers_that_stall_cost_no_more_than_the_cap(running: TidingsUp, api: Api) -> None:
    worker = running.children()["api-1"]
    event = {"type": "Seen", "customer_id": "ann", "data": {"note": NOTE}}
    for _ in range(0, EVENTS, BATCH_EVENTS):
        *_, last = await api.record(*[event] * BATCH_EVENTS)
    await api.read(f"/v1/customers/ann?min_position={last['position']}")

    with ExitStack() as stack:
        for target, headers in islice(cycle(TARGETS.items()), READERS):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", running.port))
            connection.sendall(raw_request("GET", target, Connection="keep-alive", **headers))
        await asyncio.sleep(rounds(few=3, full=45))
        recorded = await api.post("/v1/events", event)
        assert recorded.status == 201, "others are served"
        peak_mib = peak_memory_mib(worker)
        print(f"{READERS} readers, {peak_mib:.0f} MiB at the most")
        assert peak_mib < MEMORY_CAP_MIB

    async def is_well() -> bool:
        return (await api.get("/v1/events?limit=1000")).status == 200

    await until_async(is_well, seconds=DEADLINE_S)
    assert running.children()["api-1"] == worker, "it was started again"
