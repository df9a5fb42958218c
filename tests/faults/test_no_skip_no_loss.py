"""Whatever happens to those who append, whoever follows the log sees exactly what is recorded."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection

from app.eventstore.database import Database
from app.eventstore.port import EventStore
from app.eventstore.postgres import opened_store
from app.kernel.event import RecordedEvent
from tests.controls.events import an_append, an_event, keyed_id
from tests.faults.processes import Processes, Running, processes
from tests.faults.recorded import Seen, difference, recorded
from tests.faults.scale import FULL, on_one_server, rounds
from tests.faults.writer import Acknowledged
from tests.integration.eventstore.sessions import request

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

WRITER_PROCESSES = 3
UNDECIDED_CLIENTS = 2
DEADLINE_S = 120


async def becomes_true(outcome: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not outcome():
            await asyncio.sleep(0.02)


class Undecided:
    """A client that appends in a transaction of its own, lingers, and often takes it back."""

    def __init__(self, database: Database, seed: int, name: str) -> None:
        self._database = database
        self._name = name
        self._random = random.Random(f"{seed} {name}")
        self.committed: list[UUID] = []
        self.taken_back: list[UUID] = []

    async def append_until(self, end: asyncio.Event) -> None:
        async with await AsyncConnection.connect(self._database.conninfo()) as connection:
            number = 0
            while not end.is_set():
                number += 1
                event_id = keyed_id(f"{self._name} {number}")
                group = request([an_append("order-1", an_event(event_id=event_id))])
                await connection.execute("SELECT append_events(%s)", (group.decode(),))
                await asyncio.sleep(self._random.choice([0, 0.001, 0.01, 0.1]))
                if self._random.random() < 0.7:
                    await connection.rollback()
                    self.taken_back.append(event_id)
                else:
                    await connection.commit()
                    self.committed.append(event_id)
                await asyncio.sleep(0.01)


class Follower:
    """Remembers what it was shown."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[Seen] = []

    @property
    def position(self) -> int:
        return self.seen[-1].position if self.seen else 0

    def show(self, batch: Sequence[RecordedEvent]) -> None:
        self.seen += [Seen(event.position, event.event_id) for event in batch]

    async def follow(self, store: EventStore) -> None:
        async for batch in store.follow(after=0):
            self.show(batch)

    async def poll(self, store: EventStore, limit: int) -> None:
        while True:
            self.show(await store.read_log(after=self.position, limit=limit))
            await asyncio.sleep(0.002)


@asynccontextmanager
async def followers(database: Database) -> AsyncIterator[list[Follower]]:
    """Two that are woken, and one that never stops looking."""
    one, other, looking = Follower("woken 1"), Follower("woken 2"), Follower("looking")
    async with (
        opened_store(database, poll_interval=timedelta(milliseconds=200)) as store,
        opened_store(database, poll_interval=timedelta(milliseconds=200)) as second_store,
    ):
        tasks = [
            asyncio.create_task(one.follow(store)),
            asyncio.create_task(other.follow(second_store)),
            asyncio.create_task(looking.poll(store, limit=7)),
        ]
        try:
            yield [one, other, looking]
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(ended, asyncio.CancelledError), repr(ended)


class Trouble:
    """What befalls the processes and their sessions, drawn from the seed."""

    def __init__(self, database: Database, started: Processes, seed: int) -> None:
        self._database = database
        self._started = started
        self._seed = seed
        self._random = random.Random(seed)
        self.happened: Counter[str] = Counter()

    async def befall(self, writers: list[Running], reader: Running) -> None:
        kinds = ["stopped"] * 4 + ["killed"] * 2 + ["cut off"] * 6 + ["readers cut off"] * 2
        kinds *= rounds(1, 3)
        self._random.shuffle(kinds)
        stopped = []
        for kind in kinds:
            self.happened[kind] += 1
            match kind:
                case "stopped":
                    victim = self._random.choice([*writers, reader])
                    stopped.append(asyncio.create_task(self._stop_for_a_while(victim)))
                case "killed":
                    self._replace(writers, self._random.randrange(len(writers)))
                case "cut off":
                    await self._cut_off("tidings append", at_most=1)
                case _:
                    await self._cut_off("tidings follow", at_most=10)
            await asyncio.sleep(self._random.uniform(0.02, 0.25))
        await asyncio.gather(*stopped)

    async def _stop_for_a_while(self, victim: Running) -> None:
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(0.05, 0.6))
        victim.signal(signal.SIGCONT)

    def _replace(self, writers: list[Running], place: int) -> None:
        writers[place].kill()
        name = f"{writers[place].name}'"
        writers[place] = self._started.start("writer", name, str(self._seed), name)

    async def _cut_off(self, application_name: str, at_most: int) -> None:
        async with await AsyncConnection.connect(
            self._database.conninfo(), autocommit=True
        ) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE application_name = %s AND datname = current_database()"
                " ORDER BY md5(pid::text || %s) LIMIT %s) AS victims",
                (application_name, str(self._random.random()), at_most),
            )


@pytest.mark.parametrize("seed", range(1, rounds(1, 20) + 1))
async def test_each_reader_sees_exactly_what_is_recorded_in_order(
    database: Database, tmp_path: Path, seed: int
) -> None:
    undecided = [Undecided(database, seed, f"undecided {n}") for n in range(UNDECIDED_CLIENTS)]
    end = asyncio.Event()
    with processes(database, tmp_path) as started:
        reader = started.start("reader", "reader")
        names = [f"writer {number}" for number in range(WRITER_PROCESSES)]
        writers = [started.start("writer", name, str(seed), name) for name in names]
        async with followers(database) as in_process:
            clients = [asyncio.create_task(client.append_until(end)) for client in undecided]
            await becomes_true(lambda: all(running.lines() for running in [*writers, reader]))
            trouble = Trouble(database, started, seed)
            await trouble.befall(writers, reader)

            await becomes_true(lambda: all(writer.lines() for writer in writers))
            end.set()
            await asyncio.gather(*clients)
            await asyncio.to_thread(end_all, writers)
            log = recorded(database)
            # Where a reader is, not how much it has seen: one that skipped comes to the end, too.
            end_of_log = log[-1].position
            await becomes_true(lambda: all(f.position >= end_of_log for f in in_process))
            await becomes_true(lambda: int(reader.lines()[-1].split()[0]) >= end_of_log)

        for follower in in_process:
            assert not difference(log, follower.seen), (follower.name, seed)
        assert not difference(log, seen_by(reader)), ("reader", seed)
        all_acknowledged_is_there_once(log, started.all, undecided)
        if FULL:
            print(f"seed {seed}: {len(log)} events, {dict(trouble.happened)}")


def end_all(writers: Sequence[Running]) -> None:
    for writer in writers:
        writer.end()


def seen_by(reader: Running) -> list[Seen]:
    pairs = [line.split() for line in reader.lines()]
    return [Seen(int(position), UUID(event_id)) for position, event_id in pairs]


def all_acknowledged_is_there_once(
    log: Sequence[Seen], started: Sequence[Running], undecided: Sequence[Undecided]
) -> None:
    place = {event.event_id: event.position for event in log}
    assert len(place) == len(log), "an event is there twice"
    acknowledged: Counter[UUID] = Counter()
    for writer in started[1:]:
        for line in writer.lines():
            told = msgspec.json.decode(line, type=Acknowledged)
            assert [place.get(event_id) for event_id in told.event_ids] == told.positions, told
            acknowledged.update(told.event_ids)
    assert set(acknowledged.values()) == {1}
    for client in undecided:
        assert set(client.committed) <= place.keys()
        assert not place.keys() & set(client.taken_back)
    assert sum(len(client.taken_back) for client in undecided) > 0
