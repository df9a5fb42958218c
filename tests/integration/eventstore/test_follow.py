"""Following the log: woken by appends, and by the clock where nothing wakes it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.eventstore import wakeups
from app.eventstore.database import Database
from app.eventstore.port import EventStore
from app.eventstore.postgres import PostgresEventStore, opened_store
from tests.controls.events import an_append
from tests.integration.conftest import Server
from tests.integration.eventstore.sessions import session

pytestmark = pytest.mark.anyio

FOR_EVER = timedelta(hours=1)
DEADLINE_S = 60


@dataclass
class Follower:
    """What a follower of the log has seen."""

    positions: list[int]
    grown: asyncio.Condition

    async def has_seen(self, positions: list[int]) -> None:
        """Wait until it has seen as many, which then are these."""
        async with asyncio.timeout(DEADLINE_S), self.grown:
            await self.grown.wait_for(lambda: len(self.positions) >= len(positions))
        assert self.positions == positions


@asynccontextmanager
async def following(store: EventStore, after: int = 0) -> AsyncIterator[Follower]:
    follower = Follower([], asyncio.Condition())

    async def follow() -> None:
        async for batch in store.follow(after):
            async with follower.grown:
                follower.positions += [event.position for event in batch]
                follower.grown.notify_all()

    task = asyncio.create_task(follow())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def listeners(database: Database) -> list[int]:
    """The process ids of the sessions that listen for appends."""
    with session(database) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'tidings follow' AND query LIKE 'LISTEN%'"
        ).fetchall()
    return [pid for (pid,) in rows]


def terminate_listeners(database: Database) -> list[int]:
    pids = listeners(database)
    with session(database) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    return pids


async def becomes_true(outcome: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not outcome():
            await asyncio.sleep(0.02)


@pytest.fixture
async def unpolled(database: Database) -> AsyncIterator[PostgresEventStore]:
    """A store that reads nothing unless it is woken."""
    async with opened_store(database, poll_interval=FOR_EVER) as store:
        yield store


async def test_an_append_wakes_whoever_follows(
    unpolled: PostgresEventStore, database: Database
) -> None:
    async with (
        opened_store(database, poll_interval=FOR_EVER) as elsewhere,
        following(unpolled) as one,
        following(unpolled, after=1) as other,
    ):
        for _ in range(3):
            await elsewhere.append(an_append())
        await one.has_seen([1, 2, 3])
        await other.has_seen([2, 3])


async def test_nobody_listens_unless_somebody_follows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "LINGER_S", 0.2)
    async with opened_store(database, poll_interval=timedelta(milliseconds=100)) as store:
        await store.append(an_append())
        assert listeners(database) == []
        for seen in ([1], [2]):
            async with following(store, after=seen[0] - 1) as follower:
                await becomes_true(lambda: listeners(database))
                await follower.has_seen(seen)
            await becomes_true(lambda: not listeners(database))
            await store.append(an_append())


async def test_what_is_appended_while_nobody_listens_is_seen_after_the_reconnect(
    unpolled: PostgresEventStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "RECONNECT_AFTER_S", 0.2)
    async with following(unpolled) as follower:
        await unpolled.append(an_append())
        await follower.has_seen([1])

        dead = terminate_listeners(database)
        await unpolled.append(an_append())
        await follower.has_seen([1, 2])
        await becomes_true(lambda: set(listeners(database)) - set(dead))
        await unpolled.append(an_append())
        await follower.has_seen([1, 2, 3])


async def test_a_slow_poll_stands_in_for_a_listener_that_cannot_come_back(
    server: Server, database: Database
) -> None:
    async with (
        opened_store(database, poll_interval=timedelta(milliseconds=200)) as store,
        following(store) as follower,
    ):
        await store.append(an_append())
        await follower.has_seen([1])
        await becomes_true(lambda: listeners(database))
        with session(database) as connection:
            server.execute(f"ALTER DATABASE {connection.info.dbname} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'tidings follow'"
            )
        for number in range(2, 6):
            await store.append(an_append())
            await follower.has_seen(list(range(1, number + 1)))


async def test_an_append_between_looking_and_waiting_is_not_slept_through(
    unpolled: PostgresEventStore,
) -> None:
    ticket = unpolled._wakeups.ticket
    assert await unpolled.read_log(after=0, limit=1) == []
    await unpolled.append(an_append())

    async with asyncio.timeout(DEADLINE_S):
        await unpolled._wakeups.wait(ticket)


async def test_a_follower_goes_on_through_lost_read_connections(
    unpolled: PostgresEventStore, database: Database
) -> None:
    async with following(unpolled) as follower:
        for number in range(1, 6):
            with session(database) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'tidings'"
                    " AND pid <> pg_backend_pid()"
                )
            await unpolled.append(an_append())
            await follower.has_seen(list(range(1, number + 1)))
