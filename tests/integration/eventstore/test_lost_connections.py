"""Appends over connections that break: each is recorded once, and its caller hears of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.eventstore.appender import Appender
from app.eventstore.database import Connection, Database
from app.eventstore.port import Append, Appended
from app.eventstore.postgres import PostgresEventStore
from app.kernel.errors import StoreUnavailable, WrongExpectedVersion
from tests.controls.events import an_append, an_event, keyed_id
from tests.integration.eventstore.lossy import LossySocket, lossy
from tests.integration.eventstore.sessions import (
    append_events,
    log_of,
    session,
    waiting_for_the_lock,
)

pytestmark = pytest.mark.anyio

Lossy = tuple[Appender, LossySocket]


class Cut(Database):
    """Whose connections are lost as soon as they are made."""

    async def connect(self, **parameters: str | int) -> Connection:
        connection = await super().connect(**parameters)
        async with await super().connect() as killer:
            await killer.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        return connection


@pytest.fixture
async def behind(database: Database) -> AsyncIterator[Lossy]:
    """An appender alone, so that nobody else's answer is lost."""
    async with lossy(database) as (through, between), Appender(through) as appender:
        yield appender, between


def keyed(key: str, stream: str = "order-1", expected_version: int | None = None) -> Append:
    event = an_event(event_id=keyed_id(key), fingerprint="f")
    return an_append(stream, event, expected_version=expected_version, fingerprint="f")


async def lose(behind: Lossy, *appends: Append) -> list[Appended | BaseException]:
    """Append while the first answer is lost."""
    appender, between = behind
    between.lose_the_next_answer()
    outcomes = await asyncio.gather(*appender.submit(appends), return_exceptions=True)
    assert between.lost.is_set()
    return outcomes


async def test_an_append_whose_answer_is_lost_is_recorded_once_and_answered(
    behind: Lossy, database: Database
) -> None:
    await asyncio.gather(*behind[0].submit([an_append("order-1")]))
    exact = an_append("order-1", an_event(), an_event(), expected_version=1)
    several, other = await lose(behind, exact, an_append("order-2"))

    assert isinstance(several, Appended)
    assert isinstance(other, Appended)
    assert [(e.version, e.position) for e in several.events] == [(2, 2), (3, 3)]
    assert [(e.version, e.position) for e in other.events] == [(1, 4)]
    assert not several.repeated
    assert not other.repeated
    assert len(log_of(database)) == 4
    (after,) = await asyncio.gather(*behind[0].submit([an_append("order-1", expected_version=3)]))
    assert after.events[0].version == 4


async def test_an_append_under_a_key_whose_answer_is_lost_is_a_repeat(
    behind: Lossy, database: Database
) -> None:
    """Whether the lost attempt recorded it, or somebody else under the same key, nobody knows."""
    (outcome,) = await lose(behind, keyed("k"))
    assert isinstance(outcome, Appended)
    assert outcome.repeated
    assert len(log_of(database)) == 1


async def test_a_refusal_that_is_lost_is_given_again(behind: Lossy, database: Database) -> None:
    wrong, good = await lose(behind, an_append("order-1", expected_version=7), an_append("order-2"))
    assert isinstance(wrong, WrongExpectedVersion)
    assert isinstance(good, Appended)
    assert len(log_of(database)) == 1


async def test_an_append_after_the_server_has_hung_up_notices_nothing(
    store: PostgresEventStore, database: Database
) -> None:
    for number, notices_first in enumerate([True, False] * 3, start=1):
        hang_up(database)
        if notices_first:  # the end is read before the append is sent
            await asyncio.sleep(0.1)
        appended = await store.append(an_append())
        assert (appended.events[0].position, appended.repeated) == (number, False)


async def test_an_append_that_is_cut_off_while_it_waits_for_the_lock_is_sent_again(
    store: PostgresEventStore, database: Database
) -> None:
    with session(database, autocommit=False) as holder:
        append_events(holder, an_append("order-1"))
        waiting = asyncio.create_task(store.append(an_append("order-1")))
        while waiting_for_the_lock(database) == 0:
            await asyncio.sleep(0.01)
        hang_up(database)
        while waiting_for_the_lock(database) == 0:
            await asyncio.sleep(0.01)
        holder.commit()
    appended = await waiting
    assert (appended.events[0].version, appended.repeated) == (2, False)
    assert len(log_of(database)) == 2


async def test_an_append_that_nobody_waits_for_any_more_hurts_nobody(
    store: PostgresEventStore, database: Database
) -> None:
    with session(database, autocommit=False) as holder:
        append_events(holder, an_append("order-1"))
        left = asyncio.create_task(store.append(an_append("order-2")))
        stayed = asyncio.create_task(store.append(an_append("order-3")))
        while waiting_for_the_lock(database) == 0:
            await asyncio.sleep(0.01)
        left.cancel()
        holder.commit()
    await stayed
    assert left.cancelled() or left.cancelling()
    assert sorted(stream for _, stream, *_ in log_of(database)) == ["order-1", "order-2", "order-3"]


def hang_up(database: Database) -> None:
    """End the appender's session from the server's side."""
    with session(database) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'tidings append' AND datname = current_database()"
        )


async def test_a_connection_that_is_lost_at_the_start_is_a_store_that_cannot_be_reached(
    database: Database,
) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        async with Appender(Cut(database.url, accept_data_loss=True)):
            pass
