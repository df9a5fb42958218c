"""What every event store does.

A test module that has the fixtures `store` and `bury` runs the suite by importing everything from
here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import pytest

from app.eventstore.port import NO_STREAM, Append, Appended, EventStore, StreamAppend
from app.kernel.errors import (
    Erased,
    IdempotencyConflict,
    UnstorableValue,
    WrongExpectedVersion,
)
from tests.controls.events import an_append, an_event, keyed_id

Bury = Callable[[str], Awaitable[None]]
"""Puts a tombstone on a customer's id."""


async def test_a_new_stream_begins_at_version_1_and_the_log_at_position_1(
    store: EventStore,
) -> None:
    appended = await store.append(an_append("order-1", an_event(1), an_event(2)))

    assert [(e.stream, e.version, e.position) for e in appended.events] == [
        ("order-1", 1, 1),
        ("order-1", 2, 2),
    ]
    assert not appended.repeated
    assert await store.head() == 2


async def test_what_is_read_is_what_was_appended(store: EventStore) -> None:
    occurred = datetime(2026, 3, 1, 10, 30, 15, 123456, tzinfo=UTC)
    event = an_event(
        data='{"name":"Zoë \\"Ö\'Hara\\" \\\\ 漢","n":[1,2.50,-0,1e3]}'.encode(),
        occurred_at=occurred,
        schema_version=3,
        customer_id="zoë's",
    )
    await store.append(an_append("order-it's", event))

    (read,) = await store.read_stream("order-it's")
    assert (read.event_id, read.type, read.schema_version) == (event.event_id, event.type, 3)
    assert (read.stream, read.customer_id) == ("order-it's", "zoë's")
    assert read.occurred_at == occurred
    assert msgspec.json.decode(read.data) == msgspec.json.decode(event.data)
    assert msgspec.json.decode(read.metadata) == {"source": "test"}
    assert await store.find(event.event_id) == read
    assert await store.read_log(after=0, limit=10) == [read]


async def test_an_event_without_a_time_occurred_when_it_was_recorded(store: EventStore) -> None:
    before = await store.now()
    await store.append(an_append())
    (read,) = await store.read_stream("order-1")

    assert before <= read.recorded_at <= await store.now()
    assert read.occurred_at == read.recorded_at


async def test_an_event_may_be_nobodys(store: EventStore) -> None:
    await store.append(an_append("order-1", an_event(customer_id=None)))
    (read,) = await store.read_stream("order-1")
    assert read.customer_id is None


async def test_the_expected_version_is_checked(store: EventStore) -> None:
    await store.append(an_append("order-1", expected_version=NO_STREAM))
    await store.append(an_append("order-1", an_event(), an_event(), expected_version=1))

    for wrong in (NO_STREAM, 1, 2, 4):
        with pytest.raises(WrongExpectedVersion) as refused:
            await store.append(an_append("order-1", expected_version=wrong))
        assert (refused.value.stream, refused.value.expected) == ("order-1", wrong)
        assert refused.value.actual == 3
    with pytest.raises(WrongExpectedVersion):
        await store.append(an_append("order-2", expected_version=5))
    assert await store.head() == 3


async def test_several_streams_are_appended_all_or_nothing(store: EventStore) -> None:
    def both(expected: int) -> Append:
        return Append(
            (
                StreamAppend("order-1", (an_event(1), an_event(2)), NO_STREAM),
                StreamAppend("payment-1", (an_event(3),), expected),
            )
        )

    with pytest.raises(WrongExpectedVersion):
        await store.append(both(7))
    assert await store.head() == 0
    assert await store.read_stream("order-1") == []

    appended = await store.append(both(0))
    assert [(e.stream, e.version, e.position) for e in appended.events] == [
        ("order-1", 1, 1),
        ("order-1", 2, 2),
        ("payment-1", 1, 3),
    ]


async def test_the_same_event_ids_are_recorded_once(store: EventStore) -> None:
    def again() -> Append:
        event = an_event(event_id=keyed_id("a"), fingerprint="f")
        return an_append("order-1", event, fingerprint="f")

    first = await store.append(again())
    await store.append(an_append("order-2"))
    second = await store.append(again())

    assert second.events == first.events
    assert (first.repeated, second.repeated) == (False, True)
    assert await store.head() == 2


async def test_an_id_that_was_used_before_hurts_no_new_one_beside_it(store: EventStore) -> None:
    again = an_append("order-1", an_event(event_id=keyed_id("a")))
    await store.append(again)

    outcomes = await store.append_many([an_append("order-2"), again, an_append("order-1")])

    assert [outcome.repeated for outcome in outcomes if isinstance(outcome, Appended)] == [
        False,
        True,
        False,
    ]
    assert [event.stream for event in await store.read_log(after=1, limit=10)] == [
        "order-2",
        "order-1",
    ]


async def test_the_same_event_id_of_another_request_is_refused(store: EventStore) -> None:
    def with_fingerprint(fingerprint: str | None) -> Append:
        event = an_event(event_id=keyed_id("a"), fingerprint=fingerprint)
        return an_append("order-1", event, fingerprint=fingerprint)

    await store.append(with_fingerprint("f"))
    for other in ("g", None):
        with pytest.raises(IdempotencyConflict):
            await store.append(with_fingerprint(other))
    assert await store.head() == 1


async def test_an_append_that_meets_only_later_ids_is_refused_whole(store: EventStore) -> None:
    await store.append(an_append("order-1", an_event(event_id=keyed_id("k", 1))))
    with pytest.raises(IdempotencyConflict):
        await store.append(
            an_append(
                "order-1",
                an_event(event_id=keyed_id("k", 0)),
                an_event(event_id=keyed_id("k", 1)),
            )
        )
    assert await store.head() == 1


async def test_each_of_many_succeeds_or_fails_alone(store: EventStore) -> None:
    repeated = an_append("order-9", an_event(event_id=keyed_id("twice")))
    outcomes = await store.append_many(
        [
            an_append("order-1", an_event(1)),
            an_append("order-1", an_event(2), expected_version=5),
            an_append("order-2", an_event(data=b'{"bad":"\\u0000"}')),
            repeated,
            an_append("order-1", an_event(3)),
            repeated,
        ]
    )

    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [
        Appended,
        WrongExpectedVersion,
        UnstorableValue,
        Appended,
        Appended,
        Appended,
    ]
    assert [o.repeated for o in outcomes if isinstance(o, Appended)] == [False, False, False, True]
    assert [e.version for e in await store.read_stream("order-1")] == [1, 2]
    assert await store.head() == 3
    assert [e.position for e in await store.read_log(after=0, limit=10)] == [1, 2, 3]


async def test_many_appends_to_one_stream_keep_their_order(store: EventStore) -> None:
    outcomes = await store.append_many(
        [an_append("order-1", an_event(number)) for number in range(300)]
    )
    versions = [o.events[0].version for o in outcomes if isinstance(o, Appended)]
    assert versions == list(range(1, 301))
    read = await store.read_stream("order-1")
    assert [msgspec.json.decode(e.data)["number"] for e in read] == list(range(300))


async def test_exactly_one_of_many_that_expect_the_same_version_wins(store: EventStore) -> None:
    outcomes = await asyncio.gather(
        *(store.append(an_append("order-1", expected_version=NO_STREAM)) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, WrongExpectedVersion) for outcome in outcomes) == 19
    assert await store.head() == 1


async def test_a_stream_is_read_in_pieces(store: EventStore) -> None:
    await store.append(an_append("order-1", *(an_event(n) for n in range(5))))
    await store.append(an_append("order-10"))

    assert [e.version for e in await store.read_stream("order-1", after_version=3)] == [4, 5]
    assert [e.version for e in await store.read_stream("order-1", limit=2)] == [1, 2]
    assert await store.read_stream("order-1", after_version=5) == []
    assert await store.read_stream("order-404") == []
    several = await store.read_streams({"order-1": 3, "order-404": 0}, limit=1)
    assert [(e.stream, e.version) for e in several] == [("order-1", 4)]


async def test_a_category_is_read_stream_by_stream_and_no_other_is(store: EventStore) -> None:
    for stream in ("order-2", "order-10", "orders-1", "order", "order.x", "order-2"):
        await store.append(an_append(stream))

    events = await store.read_category("order", limit=10)

    found = [(event.stream, event.version) for event in events]
    assert found == [("order-2", 1), ("order-10", 1), ("order-2", 2)]
    assert await store.read_category("order", limit=2) == events[:2]
    after = events[0].position
    assert await store.read_category("order", limit=2, after=after) == events[1:]
    assert await store.read_category("ride", limit=2) == []


async def test_the_log_is_read_after_a_position_and_by_customer(store: EventStore) -> None:
    for number, customer in enumerate(["ann", "bob", "~v", "ann", "bob"], 1):
        await store.append(an_append(f"x-{number}", an_event(customer_id=customer)))

    async def positions(*customers: str, after: int = 0, limit: int = 10) -> list[int]:
        read = await store.read_log(after=after, limit=limit, customer_ids=customers or None)
        return [event.position for event in read]

    assert await positions() == [1, 2, 3, 4, 5]
    assert await positions(after=2, limit=2) == [3, 4]
    assert await positions("ann") == [1, 4]
    assert await positions("ann", "~v", after=1) == [3, 4]
    assert await positions("ann", "bob", limit=3) == [1, 2, 4]
    assert await positions("nobody") == []


async def test_followers_see_what_was_there_and_what_comes(store: EventStore) -> None:
    await store.append(an_append("order-1", an_event(), an_event()))
    seen: list[int] = []

    async def follow() -> None:
        async for batch in store.follow(after=1):
            seen.extend(event.position for event in batch)
            if seen[-1] >= 52:
                return

    follower = asyncio.create_task(follow())
    for _ in range(50):
        await store.append(an_append("order-1"))
    async with asyncio.timeout(30):
        await follower
    assert seen == list(range(2, 53))


async def test_time_never_runs_backwards_in_the_log(store: EventStore) -> None:
    await asyncio.gather(*(store.append(an_append(f"order-{n % 7}")) for n in range(100)))
    recorded = [event.recorded_at for event in await store.read_log(after=0, limit=200)]
    assert recorded == sorted(recorded)


async def test_an_event_of_an_erased_customer_is_refused_and_those_beside_it_are_not(
    store: EventStore, bury: Bury
) -> None:
    def of(customer_id: str | None) -> Append:
        return an_append(f"x-{customer_id}", an_event(customer_id=customer_id))

    await store.append(of("ann"))
    await bury("ann")
    for _ in range(3):  # whether the store takes ids for new or looks for them
        outcomes = await store.append_many([of("ben"), of("ann"), of(None), of("anna")])
        assert [type(outcome) for outcome in outcomes] == [Appended, Erased, Appended, Appended]
    with pytest.raises(Erased):
        await store.append(of("ann"))
    read = await store.read_log(after=0, limit=100, customer_ids=["ann"])
    assert [event.position for event in read] == [1]


async def test_an_append_with_one_event_of_an_erased_customer_is_refused_whole(
    store: EventStore, bury: Bury
) -> None:
    await bury("ann")
    both = Append(
        (
            StreamAppend("order-1", (an_event(customer_id="ben"),), NO_STREAM),
            StreamAppend("order-2", (an_event(customer_id="ann"),), NO_STREAM),
        )
    )
    with pytest.raises(Erased):
        await store.append(both)
    assert await store.head() == 0


async def test_what_was_recorded_before_the_erasure_is_repeated_as_ever(
    store: EventStore, bury: Bury
) -> None:
    def again() -> Append:
        event = an_event(event_id=keyed_id("a"), fingerprint="f")
        return an_append("order-1", event, fingerprint="f")

    first = await store.append(again())
    await bury("ann")
    second = await store.append(again())
    assert (second.events, second.repeated) == (first.events, True)


async def test_an_erased_customer_is_what_is_said_before_a_wrong_version(
    store: EventStore, bury: Bury
) -> None:
    await bury("ann")
    with pytest.raises(Erased):
        await store.append(an_append("order-1", expected_version=7))


async def test_what_is_internal_ends_what_began_before_the_erasure(
    store: EventStore, bury: Bury
) -> None:
    await bury("ann")
    parts = an_append("order-1", an_event(1), an_event(2)).streams
    for expected in (None, 2):
        part = msgspec.structs.replace(parts[0], expected_version=expected)
        part = msgspec.structs.replace(part, events=(an_event(1), an_event(2)))
        assert not (await store.append(Append((part,), internal=True))).repeated
    with pytest.raises(Erased):
        await store.append(Append(parts))
    assert await store.head() == 4
