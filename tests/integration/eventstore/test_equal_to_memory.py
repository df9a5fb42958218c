"""Whatever is appended, PostgreSQL and the store in memory answer and record the same."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.eventstore.database import Database
from app.eventstore.memory import InMemoryEventStore
from app.eventstore.port import Append, Appended, EventStore, StreamAppend
from app.eventstore.postgres import opened_store
from app.kernel.errors import WrongExpectedVersion
from app.kernel.event import NewEvent
from tests.controls.events import an_event, keyed_id
from tests.integration.eventstore.sessions import session

KEYS = ["a", "b", "c", "d"]


class Draft(NamedTuple):
    """An event as it is drawn; some have an id that was or will be used again."""

    key: str | None
    data: bytes


DRAFTS = st.builds(
    Draft,
    st.none() | st.sampled_from(KEYS),
    st.sampled_from([b'{"n":1}', b'{"n":[1.50,{"a":null}]}', b'{"s":"it\'s"}', b'{"s":"\\u0000"}']),
)
PARTS = st.tuples(
    st.sampled_from(["order-1", "order-2", "order-3"]),
    st.lists(DRAFTS, min_size=1, max_size=3, unique_by=lambda draft: draft.key or id(draft)),
    st.none() | st.integers(0, 4),
)
APPENDS = st.tuples(
    st.lists(PARTS, min_size=1, max_size=2, unique_by=lambda part: part[0]),
    st.none() | st.sampled_from(["f", "g"]),
)
ROUNDS = st.lists(st.lists(APPENDS, min_size=1, max_size=12), min_size=1, max_size=4)


def appends_of(drawn: Sequence[Any]) -> list[Append]:
    """The appends as drawn, but that no append has an id twice."""
    appends = []
    for parts, fingerprint in drawn:
        used: set[str | None] = set()
        streams = []
        for stream, drafts, expected in parts:
            events = tuple(_event(draft, fingerprint, used) for draft in drafts)
            streams.append(StreamAppend(stream, events, expected))
        appends.append(Append(tuple(streams), fingerprint))
    return appends


def _event(draft: Draft, fingerprint: str | None, used: set[str | None]) -> NewEvent:
    event_id = None if draft.key is None or draft.key in used else keyed_id(draft.key)
    used.add(draft.key)
    return an_event(event_id=event_id, fingerprint=fingerprint, data=draft.data)


def answer(outcome: object) -> object:
    """What is comparable: appends that may not travel together may overtake each other."""
    if isinstance(outcome, Appended):
        return outcome.repeated, [(e.event_id, e.type, e.stream, e.version) for e in outcome.events]
    if isinstance(outcome, WrongExpectedVersion):
        return outcome.stream, outcome.expected, outcome.actual
    return type(outcome)


async def streams_of(store: EventStore) -> dict[str, list[object]]:
    """Each stream's events, after a look at the positions."""
    log = await store.read_log(after=0, limit=10_000)
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    streams: dict[str, list[object]] = defaultdict(list)
    for event in log:
        data = msgspec.json.decode(event.data)
        streams[event.stream].append((event.version, event.event_id, data, event.customer_id))
    return streams


async def positions_hold(store: EventStore, outcomes: Sequence[object]) -> None:
    """What was answered is where it was said to be."""
    log = {event.position: event for event in await store.read_log(after=0, limit=10_000)}
    for outcome in outcomes:
        for event in outcome.events if isinstance(outcome, Appended) else ():
            recorded = log[event.position]
            assert (recorded.event_id, recorded.stream, recorded.version, recorded.type) == (
                event.event_id,
                event.stream,
                event.version,
                event.type,
            )


async def compare(database: Database, rounds: Sequence[Any]) -> None:
    memory = InMemoryEventStore()
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as postgres:
        for drawn in rounds:
            appends = appends_of(drawn)
            outcomes = await postgres.append_many(appends)
            expected = await memory.append_many(appends)
            assert list(map(answer, outcomes)) == list(map(answer, expected))
            await positions_hold(postgres, outcomes)
        assert await streams_of(postgres) == await streams_of(memory)


@settings(
    deadline=None,
    max_examples=30,
    # One database for all: each example empties it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rounds=ROUNDS)
def test_postgres_and_memory_answer_and_record_the_same(
    database: Database, rounds: Sequence[Any]
) -> None:
    with session(database) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers
        connection.execute("TRUNCATE events")
    asyncio.run(compare(database, rounds))
