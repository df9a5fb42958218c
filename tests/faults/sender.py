"""Sends one batch of events over and over, in a process of its own: it must cost next to nothing.

    python -m tests.faults.sender PORT SECONDS CONNECTIONS [PER_SECOND]

Without a rate each connection sends when it has been answered; with one, batches are sent at that
rate whatever becomes of them, over as many connections as that takes, up to the number given. When
the last is answered, says in JSON how all were (`Sent`).
"""

import asyncio
import re
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import cast

import msgspec
import uvloop

from tests.fixtures.api import raw_request

BATCH_EVENTS = 200
TICK_S = 0.01
LAST_ANSWERS_S = 120

BATCH = msgspec.json.encode(
    [
        {"type": "Seen", "customer_id": f"customer-{number}", "data": {"note": "x" * 150}}
        for number in range(BATCH_EVENTS)
    ]
)
_REQUEST = raw_request("POST", "/v1/events", BATCH, Connection="keep-alive")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


class Sent(msgspec.Struct):
    """What became of the batches."""

    statuses: dict[int, int]
    recorded_per_s: float
    """Batches, in the time in which there was load."""
    answered_after_s: float
    """When there was no load any more, until the last was answered."""
    unexplained: int = 0
    """Answers that refuse, and do not say when to come again."""
    lost: int = 0
    """Connections that ended without an answer."""
    unsent: int = 0
    """For which there was no connection left."""


class Load:
    """Some connections, and how what was sent over them was answered."""

    def __init__(self, port: int, seconds: float, connections: int) -> None:
        self._port = port
        self._seconds = seconds
        self._max_connections = connections
        self._end = monotonic() + seconds
        self.free: list[Connection] = []
        self._opened = 0
        self._statuses: Counter[int] = Counter()
        self._recorded = self._unexplained = self._unsent = self.lost = 0
        self.under_way = 0

    async def keep_busy(self) -> Sent:
        """As much as the connections get through."""
        for _ in range(self._max_connections):
            await self._send()
        while monotonic() < self._end:
            while self.free:
                await self._send()
            await asyncio.sleep(0.001)
        return await self._answered()

    async def at(self, per_s: float) -> Sent:
        """So many a second."""
        start, sent = monotonic(), 0
        while (now := monotonic()) < self._end:
            while sent < (now - start) * per_s:
                sent += 1
                await self._send()
            await asyncio.sleep(TICK_S)
        return await self._answered()

    async def _send(self) -> None:
        if not self.free and self._opened >= self._max_connections:
            self._unsent += 1
            return
        if not self.free:
            self._opened += 1
            await asyncio.get_running_loop().create_connection(
                lambda: Connection(self), "127.0.0.1", self._port
            )
        self.free.pop().send()

    def answered(self, head: bytes) -> None:
        status = int(head[9:12])
        self._statuses[status] += 1
        self._recorded += status == 200 and monotonic() < self._end
        self._unexplained += status != 200 and b"\r\nretry-after: " not in head

    async def _answered(self) -> Sent:
        async with asyncio.timeout(LAST_ANSWERS_S):
            while self.under_way:
                await asyncio.sleep(TICK_S)
        rate = self._recorded / self._seconds
        late_s = monotonic() - self._end
        return Sent(dict(self._statuses), rate, late_s, self._unexplained, self.lost, self._unsent)


class Connection(asyncio.Protocol):
    """Carries a batch at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._came = b""
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._load.free.append(self)

    def send(self) -> None:
        self._waits = True
        self._load.under_way += 1
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(self._came) if end else None
        if length is None or len(body) < int(length[1]):
            return
        self._came, self._waits = b"", False
        self._load.under_way -= 1
        self._load.answered(head + b"\r\n")
        self._load.free.append(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._waits:
            self._load.lost += 1
            self._load.under_way -= 1
        elif self in self._load.free:
            self._load.free.remove(self)


async def run(port: int, seconds: float, connections: int, per_s: float | None = None) -> Sent:
    """In a process of its own."""
    arguments = [port, seconds, connections, *([] if per_s is None else [per_s])]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.sender", *map(str, arguments)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return msgspec.json.decode(said, type=Sent, strict=False)


async def _main(port: int, seconds: float, connections: int, per_s: float | None = None) -> Sent:
    load = Load(port, seconds, connections)
    return await (load.keep_busy() if per_s is None else load.at(per_s))


if __name__ == "__main__":
    numbers = [float(argument) for argument in sys.argv[1:]]
    sent = uvloop.run(_main(int(numbers[0]), numbers[1], int(numbers[2]), *numbers[3:]))
    print(msgspec.json.encode(sent).decode())
