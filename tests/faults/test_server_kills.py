"""PostgreSQL dies in the middle of appends and comes back: callers notice a pause, no more."""

import asyncio
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from app.embedded import EmbeddedPostgres
from app.eventstore.database import Database
from app.eventstore.port import Appended, EventStore
from app.eventstore.postgres import opened_store
from app.kernel.ids import new_event_id
from app.migrate import upgrade
from tests.controls.events import an_append, an_event
from tests.faults.recorded import Seen, difference, recorded
from tests.faults.scale import rounds

pytestmark = pytest.mark.faults

CALLERS = 16
READERS = 2


class Callers(threading.Thread):
    """Append and follow in a thread of their own, for a server starts in the main thread only."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._end = threading.Event()
        self.acknowledged: list[Seen] = []
        self.seen: list[list[Seen]] = [[] for _ in range(READERS)]
        self.errors: list[Exception] = []

    def run(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            self.errors.append(error)

    def wait_until_all_go_on(self) -> None:
        """Something new is appended, and every reader sees something new."""
        before = len(self.acknowledged)
        while len(self.acknowledged) <= before and not self.errors:
            sleep(0.01)
        now = max((event.position for event in self.acknowledged[-1:]), default=0)
        while any(not seen or seen[-1].position < now for seen in self.seen) and not self.errors:
            sleep(0.01)

    def end(self) -> None:
        self._end.set()
        self.join()

    async def _run(self) -> None:
        async with opened_store(self._database, poll_interval=timedelta(milliseconds=200)) as store:
            readers = [asyncio.create_task(self._follow(store, seen)) for seen in self.seen]
            await asyncio.gather(*(self._call(store, n) for n in range(CALLERS)))
            head = await store.head()
            while any(len(seen) < head for seen in self.seen) and not all(
                reader.done() for reader in readers
            ):
                await asyncio.sleep(0.02)
            for reader in readers:
                reader.cancel()
            for ended in await asyncio.gather(*readers, return_exceptions=True):
                if isinstance(ended, Exception):
                    self.errors.append(ended)

    async def _call(self, store: EventStore, caller: int) -> None:
        while not self._end.is_set():
            event = an_event(event_id=new_event_id())
            try:
                appended: Appended = await store.append(an_append(f"order-{caller % 5}", event))
            except Exception as error:  # whatever it is, a caller should not have seen it
                self.errors.append(error)
                return
            assert not appended.repeated
            self.acknowledged += [Seen(e.position, e.event_id) for e in appended.events]

    async def _follow(self, store: EventStore, seen: list[Seen]) -> None:
        async for batch in store.follow(after=0):
            seen += [Seen(event.position, event.event_id) for event in batch]


@contextmanager
def calling(database: Database) -> Iterator[Callers]:
    callers = Callers(database)
    callers.start()
    try:
        yield callers
    finally:
        callers.end()


def test_callers_of_a_server_that_dies_and_comes_back_notice_a_pause_and_no_more(
    tmp_path: Path,
) -> None:
    draw = random.Random(1)
    kills = [(signal.SIGKILL, 3.0), (signal.SIGQUIT, 0.0)]
    kills += [(how, draw.choice([0, 0.1, 1])) for how, _ in kills * rounds(0, 99)]
    with EmbeddedPostgres(tmp_path) as postgres:
        database = Database(postgres.dsn)
        upgrade(database)
        with calling(database) as callers:
            for how, outage_s in kills:
                callers.wait_until_all_go_on()
                sleep(draw.uniform(0, 0.2))
                kill(postgres, how)
                sleep(outage_s)
                postgres.start()

        assert callers.errors == []
        log = recorded(database)
        by_id = {event.event_id: event for event in log}
        assert all(by_id.get(event.event_id) == event for event in callers.acknowledged)
        assert len(set(callers.acknowledged)) == len(callers.acknowledged) == len(log)
        for seen in callers.seen:
            assert not difference(log, seen)


def kill(postgres: EmbeddedPostgres, how: signal.Signals) -> None:
    """Kill the postmaster (SIGQUIT is an immediate shutdown) and wait until it is gone.

    Its children may live on for a moment.
    """
    assert postgres.pid is not None
    os.kill(postgres.pid, how)
    while postgres.pid is not None:
        sleep(0.005)
