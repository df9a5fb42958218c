"""Two stores in one database neither see nor wait for each other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.migrate import upgrade
from tests.controls.events import an_append, an_event, keyed_id
from tests.integration.eventstore.sessions import append_events, session

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(database: Database) -> AsyncIterator[PostgresEventStore]:
    beside = replace(database, schema="beside")
    upgrade(beside)
    async with opened_store(beside, poll_interval=timedelta(seconds=5)) as opened:
        yield opened


async def test_each_has_its_own_log(store: PostgresEventStore, other: PostgresEventStore) -> None:
    event = an_event(event_id=keyed_id("same"))
    await store.append(an_append("order-1", an_event(), event))
    appended = await other.append(an_append("order-1", event))

    assert not appended.repeated
    assert [(e.version, e.position) for e in appended.events] == [(1, 1)]
    assert (await store.head(), await other.head()) == (2, 1)


async def test_neither_waits_for_the_others_lock(
    database: Database, store: PostgresEventStore, other: PostgresEventStore
) -> None:
    with session(database, autocommit=False) as holder:
        append_events(holder, an_append())
        await other.append(an_append())
        holder.rollback()
    assert (await store.head(), await other.head()) == (0, 1)


async def test_neither_is_woken_by_the_other(
    database: Database, store: PostgresEventStore, other: PostgresEventStore
) -> None:
    with session(database) as listener:
        channels = {}
        for name in (database.schema, "beside"):
            listener.execute(f"SET search_path = {name}")
            (row,) = listener.execute("SELECT log_channel()")
            channels[row[0]] = name
            listener.execute(f'LISTEN "{row[0]}"')
        assert len(channels) == 2

        await other.append(an_append())
        heard = [channels[note.channel] for note in listener.notifies(timeout=5, stop_after=1)]
        await store.append(an_append())
        heard += [channels[note.channel] for note in listener.notifies(timeout=5, stop_after=1)]
    assert heard == ["beside", database.schema]
