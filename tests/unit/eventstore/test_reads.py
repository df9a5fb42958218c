"""Reads that many share: one at a time, and nobody gets another's failure."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import pytest
from msgspec import Raw

from app.eventstore.memory import InMemoryEventStore
from app.eventstore.port import Append, StreamAppend
from app.eventstore.reads import MAX_STREAMS_A_READ, SharedReads
from app.kernel.errors import StoreUnavailable
from app.kernel.event import NewEvent, RecordedEvent
from app.kernel.ids import new_event_id

pytestmark = pytest.mark.anyio

BAD = "order-bad"


class Store(InMemoryEventStore):
    """Notes what is read together; one of its streams cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[list[str]] = []
        self.is_available = True

    async def read_streams(
        self, after_versions: Mapping[str, int], *, limit: int
    ) -> list[RecordedEvent]:
        self.reads.append(list(after_versions))
        found = await super().read_streams(after_versions, limit=limit)
        await asyncio.sleep(0)
        if not self.is_available:
            raise StoreUnavailable("it is gone")
        if BAD in after_versions:
            raise ValueError(BAD)
        return found


async def append(store: Store, stream: str, count: int = 1) -> None:
    data = Raw(b"{}")
    events = tuple(NewEvent(new_event_id(), "test.done", data, data) for _ in range(count))
    await store.append(Append((StreamAppend(stream, events),)))


async def versions(reads: SharedReads, stream: str, after: int = 0) -> list[int]:
    return [event.version for event in await reads.read(stream, after)]


async def test_those_who_ask_at_a_time_share_a_read() -> None:
    store = Store()
    await append(store, "order-1", 3)
    await append(store, "order-2")
    reads = SharedReads(store, limit=2)
    answers = await asyncio.gather(
        versions(reads, "order-1", 1), versions(reads, "order-2"), versions(reads, "order-3")
    )
    assert list(answers) == [[2, 3], [1], []]
    assert store.reads == [["order-1", "order-2", "order-3"]]
    assert await versions(reads, "order-1") == [1, 2]


async def test_who_asks_during_a_read_is_answered_by_one_that_begins_later() -> None:
    store = Store()
    reads = SharedReads(store, limit=10)
    first = asyncio.create_task(versions(reads, "order-1"))
    while not store.reads:
        await asyncio.sleep(0)
    await append(store, "order-2")
    assert await versions(reads, "order-2") == [1]
    assert await first == []
    assert store.reads == [["order-1"], ["order-2"]]


async def test_each_gets_the_events_behind_its_own_version_of_one_stream() -> None:
    store = Store()
    await append(store, "order-1", 5)
    reads = SharedReads(store, limit=3)
    asked = [("order-1", 3), ("order-1", 0), ("order-2", 0), ("order-1", 5), ("order-1", 0)]
    answers = await asyncio.gather(*(versions(reads, stream, after) for stream, after in asked))
    assert list(answers) == [[4, 5], [1, 2, 3], [], [], [1, 2, 3]]
    assert store.reads == [["order-1", "order-2"], ["order-1"], ["order-1"]]


async def test_no_read_takes_more_than_its_bound() -> None:
    store = Store()
    reads = SharedReads(store, limit=10)
    many = range(MAX_STREAMS_A_READ + 1)
    await asyncio.gather(*(versions(reads, f"order-{number}") for number in many))
    assert [len(read) for read in store.reads] == [MAX_STREAMS_A_READ, 1]


async def test_a_stream_that_cannot_be_read_fails_for_who_asked_for_it_alone() -> None:
    store = Store()
    await append(store, "order-1")
    reads = SharedReads(store, limit=10)
    fine, bad = await asyncio.gather(
        versions(reads, "order-1"), versions(reads, BAD), return_exceptions=True
    )
    assert fine == [1]
    assert isinstance(bad, ValueError)


async def test_a_store_that_is_gone_fails_for_all_at_once() -> None:
    store = Store()
    store.is_available = False
    reads = SharedReads(store, limit=10)
    answers = await asyncio.gather(
        versions(reads, "order-1"), versions(reads, "order-2"), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert len(store.reads) == 1


async def test_who_gives_up_does_no_harm_to_the_others() -> None:
    store = Store()
    await append(store, "order-2")
    reads = SharedReads(store, limit=10)
    impatient = asyncio.create_task(versions(reads, "order-1"))
    patient = asyncio.create_task(versions(reads, "order-2"))
    await asyncio.sleep(0)
    impatient.cancel()
    with suppress(asyncio.CancelledError):
        await impatient
    assert await patient == [1]
    with pytest.raises(ValueError, match=BAD):
        await versions(reads, BAD)
