"""What executing a command does, over any event store.

A test module that has a fixture `executors` (two on one store, as two processes have them) and a
fixture `store` runs the suite by importing everything from here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

import msgspec
import pytest

from app.eventstore.execute import MAX_ATTEMPTS, Executed, Executor
from app.eventstore.port import Append, Appended, EventStore, StreamAppend
from app.kernel.errors import (
    Contention,
    UnknownEvent,
    WrongExpectedVersion,
)
from app.kernel.event import Metadata, RecordedEvent
from tests.controls.counters import (
    Close,
    Closed,
    Command,
    Increment,
    Open,
    RaiseTo,
    a_key,
    codec,
    counters,
    step,
)
from tests.controls.events import an_event

Two = tuple[Executor, Executor]
NOBODY = Metadata(source="test")


async def run(
    executor: Executor,
    command: Command,
    counter: str = "1",
    *,
    key: str | None = None,
    fingerprint: str = "f",
    expected_version: int | None = None,
) -> Executed:
    return await executor.execute(
        step(command, counter),
        metadata=NOBODY,
        key=a_key(key, fingerprint) if key else None,
        expected_version=expected_version,
    )


async def total(store: EventStore, counter: str = "1") -> int:
    """What the log says, with dense versions."""
    events = await store.read_stream(f"counter-{counter}")
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    return counters.fold(map(codec.decode, events)).total


class Interposed:
    """A store with something that happens just before each append, as when others are faster."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.before: list[Executor] = []
        self.rival_counter = "1"
        self.appends = 0
        self.reads = 0

    async def append(self, append: Append) -> Appended:
        self.appends += 1
        if self.before:
            await run(self.before.pop(), Increment(), self.rival_counter)
        return await self.store.append(append)

    async def read_streams(
        self, after_versions: Mapping[str, int], *, limit: int
    ) -> Sequence[RecordedEvent]:
        self.reads += 1
        await asyncio.sleep(0)  # as when the store is elsewhere: others come meanwhile
        return await self.store.read_streams(after_versions, limit=limit)

    async def find(self, event_id: UUID) -> RecordedEvent | None:
        return await self.store.find(event_id)


async def test_a_command_records_what_its_decider_decides(
    executors: Two, store: EventStore
) -> None:
    executor, _ = executors
    first = await run(executor, Increment(2))
    second = await run(executor, Increment(1))

    assert (first.stream, first.version, first.position) == ("counter-1", 2, 2)
    assert [(e.type, e.version, e.position) for e in first.events] == [
        ("counter.incremented", 1, 1),
        ("counter.incremented", 2, 2),
    ]
    assert (second.version, second.position, second.repeated) == (3, 3, False)
    assert await total(store) == 3
    (event, *_) = await store.read_stream("counter-1")
    assert msgspec.json.decode(event.metadata) == {"source": "test"}


async def test_a_refused_command_records_nothing(executors: Two, store: EventStore) -> None:
    executor, _ = executors
    await run(executor, Close())
    with pytest.raises(Closed):
        await run(executor, Increment())
    assert await store.head() == 1


async def test_a_thing_is_read_as_the_log_has_it_now(executors: Two) -> None:
    one, other = executors
    assert (await one.read(counters, "1")).version == 0
    await run(one, Increment())
    await run(other, Increment())
    read = await one.read(counters, "1")
    assert (read.state.total, read.version) == (2, 2)


async def test_a_lost_race_is_tried_again(executors: Two, store: EventStore) -> None:
    here, elsewhere = executors
    await run(here, Increment())
    await run(elsewhere, Increment())
    assert (await run(here, Increment())).version == 3
    assert (await run(elsewhere, Increment(2))).version == 5
    assert await total(store) == 5


async def test_a_race_that_is_lost_again_and_again_is_given_up(
    executors: Two, store: EventStore
) -> None:
    rival, _ = executors
    beaten = Interposed(store)
    beaten.before = [rival] * 1000
    with pytest.raises(Contention):
        await run(Executor(cast(EventStore, beaten), codec), Increment())
    assert beaten.appends == MAX_ATTEMPTS
    assert await total(store) == MAX_ATTEMPTS


async def test_a_race_that_is_won_at_last_counts(executors: Two, store: EventStore) -> None:
    rival, _ = executors
    beaten = Interposed(store)
    beaten.before = [rival] * (MAX_ATTEMPTS - 1)
    executed = await run(Executor(cast(EventStore, beaten), codec), Increment())
    assert executed.version == MAX_ATTEMPTS


async def test_a_command_is_not_refused_for_what_was_true_before(executors: Two) -> None:
    here, elsewhere = executors
    await run(here, Close())
    await run(elsewhere, Open())
    assert (await run(here, Increment())).version == 3


async def test_those_who_are_refused_at_once_share_a_look_at_the_stream(executors: Two) -> None:
    """What one has read is news for all who had come by then, and for nobody who comes later."""
    rival, elsewhere = executors
    counted = Interposed(rival._store)
    here = Executor(cast(EventStore, counted), codec)
    await run(here, Increment())
    await run(elsewhere, Close())
    refused = await asyncio.gather(
        *(run(here, Increment()) for _ in range(9)), return_exceptions=True
    )
    assert [type(refusal) for refusal in refused] == [Closed] * 9
    assert counted.reads <= 3
    await run(elsewhere, Open())
    assert (await run(here, Increment())).version == 4


async def test_there_is_not_nothing_to_do_because_there_was_nothing_before(
    executors: Two, store: EventStore
) -> None:
    here, elsewhere = executors
    await run(here, Close())
    assert (await run(here, Close())).events == ()
    await run(elsewhere, Open())
    assert (await run(here, Close())).version == 3


async def test_no_step_of_several_has_nothing_to_do_because_it_had_nothing_before(
    executors: Two, store: EventStore
) -> None:
    here, elsewhere = executors
    await run(here, Close(), "2")
    await run(elsewhere, Open(), "2")
    executed = await here.execute(step(Increment(), "1"), step(Close(), "2"), metadata=NOBODY)
    assert [(e.stream, e.version) for e in executed.events] == [("counter-1", 1), ("counter-2", 3)]


async def test_nothing_to_do_is_answered_with_the_stream_as_it_is(
    executors: Two, store: EventStore
) -> None:
    executor, _ = executors
    await run(executor, Increment(2))
    await run(executor, Increment(), "2")
    executed = await run(executor, RaiseTo(1))
    assert (executed.version, executed.position, executed.events) == (2, 2, ())
    assert not executed.repeated
    assert await store.head() == 3


async def test_a_stale_expected_version_is_refused(executors: Two, store: EventStore) -> None:
    here, elsewhere = executors
    await run(here, Increment())
    await run(elsewhere, Increment())
    for stale in (0, 1, 3):
        with pytest.raises(WrongExpectedVersion) as refused:
            await run(here, Increment(), expected_version=stale)
        assert (refused.value.expected, refused.value.actual) == (stale, 2)
    assert (await run(here, Increment(), expected_version=2)).version == 3
    with pytest.raises(WrongExpectedVersion):
        await run(elsewhere, Increment(), expected_version=2)
    assert await total(store) == 3


async def test_several_steps_are_recorded_all_or_nothing(executors: Two, store: EventStore) -> None:
    executor, _ = executors
    await run(executor, Close(), "2")
    both = (step(Increment(2), "1"), step(Increment(), "2"))
    with pytest.raises(Closed):
        await executor.execute(*both, metadata=NOBODY)
    assert await total(store, "1") == 0

    await run(executor, Open(), "2")
    executed = await executor.execute(*both, metadata=NOBODY, key=a_key())
    assert (executed.stream, executed.version, executed.position) == ("counter-1", 2, 5)
    assert (await total(store, "1"), await total(store, "2")) == (2, 1)
    repeat = await executor.execute(*both, metadata=NOBODY, key=a_key())
    assert repeat == msgspec.structs.replace(executed, repeated=True)


async def test_several_steps_stay_together_when_one_loses_a_race(
    executors: Two, store: EventStore
) -> None:
    rival, _ = executors
    beaten = Interposed(store)
    executor = Executor(cast(EventStore, beaten), codec)
    beaten.before, beaten.rival_counter = [rival], "2"
    executed = await executor.execute(
        step(Increment(2), "1"), step(Increment(), "2"), metadata=NOBODY
    )

    assert beaten.appends == 2
    assert [(e.stream, e.version) for e in executed.events] == [
        ("counter-1", 1),
        ("counter-1", 2),
        ("counter-2", 2),
    ]
    assert (await total(store, "1"), await total(store, "2")) == (2, 2)
    assert (await run(executor, Increment(), "2")).version == 3


async def test_two_steps_for_one_stream_are_a_mistake(executors: Two, store: EventStore) -> None:
    """The second would be decided without the first one's events."""
    executor, _ = executors
    with pytest.raises(ValueError, match="counter-1"):
        await executor.execute(step(Increment()), step(Close()), metadata=NOBODY)
    assert await store.head() == 0


async def test_no_update_is_lost_among_concurrent_ones(executors: Two, store: EventStore) -> None:
    async def increment(number: int) -> None:
        while True:
            try:
                await run(executors[number % 2], Increment())
            except Contention:
                continue
            return

    await asyncio.gather(*(increment(number) for number in range(30)))
    assert await total(store) == 30


async def test_steps_in_opposite_orders_do_not_wait_for_each_other(executors: Two) -> None:
    executor, _ = executors
    one, other = step(Increment(), "1"), step(Increment(), "2")
    async with asyncio.timeout(60):
        await asyncio.gather(
            *(
                executor.execute(*pair, metadata=NOBODY)
                for pair in ((one, other), (other, one)) * 10
            )
        )


async def test_an_event_that_newer_code_wrote_stops_the_command(
    executors: Two, store: EventStore
) -> None:
    newer_type = an_event(type="counter.doubled", data=b"{}", customer_id=None)
    newer_shape = an_event(type="counter.incremented", data=b'{"by":1}', schema_version=2)
    for counter, event in (("1", newer_type), ("2", newer_shape)):
        await run(executors[0], Increment(), counter)
        await store.append(Append((StreamAppend(f"counter-{counter}", (event,)),)))
        for executor in executors:
            with pytest.raises(UnknownEvent):
                await run(executor, Increment(), counter)
    assert await store.head() == 4


async def test_a_stream_of_many_pages_is_folded_whole(
    executors: Two, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.execute.PAGE_EVENTS", 2)
    events = [an_event(type="counter.incremented", data=b'{"by":1}') for _ in range(101)]
    await store.append(Append((StreamAppend("counter-1", tuple(events)),)))
    assert (await run(executors[0], Increment())).version == 102


async def test_the_streams_kept_in_memory_are_bounded(
    executors: Two, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.execute.MAX_CACHED_STREAMS", 3)
    executor, _ = executors
    for _ in range(2):
        for counter in "abcde":
            await run(executor, Increment(), counter)
            assert len(executor._cache) <= 3
    assert [await total(store, counter) for counter in "abcde"] == [2] * 5
    assert len(executor._turns) == 0
