"""A process that appends until its input ends, and says on its output what was acknowledged.

    python -m tests.faults.writer URL SCHEMA SEED NAME

Several callers share its store, as requests share a worker's. Each says what it has appended once
that is acknowledged.
"""

import asyncio
import random
import sys
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from app.eventstore.database import Database
from app.eventstore.port import Append, Appended, EventStore, StreamAppend
from app.kernel.errors import WrongExpectedVersion
from app.kernel.event import NewEvent
from tests.controls.events import an_event, keyed_id
from tests.faults.opening import opened_at_last

CALLERS = 4
STREAMS = [f"order-{number}" for number in range(5)]
BUSY_EVENTS = 150


class Acknowledged(Struct, frozen=True):
    """The events of one append, as they were acknowledged."""

    event_ids: list[UUID]
    positions: list[int]


class Caller:
    """Appends of all kinds, one at a time; the same seed and name draw the same ones."""

    def __init__(self, store: EventStore, seed: str, name: str) -> None:
        self._store = store
        self._name = name
        self._random = random.Random(f"{seed} {name}")
        self._versions: dict[str, int] = {}

    async def append(self, number: int) -> Acknowledged:
        """Append once, whatever it takes. Any error but a lost race is the test's business."""
        while True:
            try:
                appended = await self._store.append(self._drawn(number))
            except WrongExpectedVersion as lost:
                self._versions[lost.stream] = lost.actual
            else:
                return self._acknowledged(appended)

    def _drawn(self, number: int) -> Append:
        draw = random.Random(f"{self._name} {number} {self._random.random()}")
        streams = draw.sample(STREAMS, draw.choice([1, 1, 1, 2]))
        parts = []
        for place, stream in enumerate(streams):
            sizes = [1, 1, 2, 5, BUSY_EVENTS if draw.random() < 0.05 else 1]
            events = [
                self._event(number, 1000 * place + ordinal) for ordinal in range(draw.choice(sizes))
            ]
            expected = self._versions.get(stream) if draw.random() < 0.3 else None
            parts.append(StreamAppend(stream, tuple(events), expected))
        return Append(tuple(parts))

    def _event(self, number: int, ordinal: int) -> NewEvent:
        return an_event(number, event_id=keyed_id(f"{self._name} {number}", ordinal))

    def _acknowledged(self, appended: Appended) -> Acknowledged:
        for event in appended.events:
            self._versions[event.stream] = event.version
        return Acknowledged(
            [event.event_id for event in appended.events],
            [event.position for event in appended.events],
        )


async def write(url: str, schema: str, seed: str, name: str) -> None:
    database = Database(url, schema, accept_data_loss=True)
    async with opened_at_last(database, timedelta(seconds=5)) as store:
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))

        async def call(caller: Caller) -> None:
            number = 0
            while not ended.done():
                acknowledged = await caller.append(number)
                sys.stdout.write(msgspec.json.encode(acknowledged).decode() + "\n")
                sys.stdout.flush()
                number += 1

        await asyncio.gather(*(call(Caller(store, seed, f"{name} {n}")) for n in range(CALLERS)))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(write(*sys.argv[1:]))
