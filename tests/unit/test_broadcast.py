"""New events are passed to whoever listens for their customer, each once and in order."""

import asyncio
from collections.abc import Sequence

import pytest

from app.eventstore.broadcast import Broadcast
from app.eventstore.memory import InMemoryEventStore
from app.kernel.event import RecordedEvent
from tests.controls.events import an_append, an_event

pytestmark = pytest.mark.anyio


class Heard(list[int]):
    """The positions that a listener was given."""

    def listen(self, events: Sequence[RecordedEvent]) -> None:
        self.extend(event.position for event in events)

    async def until(self, position: int) -> None:
        async with asyncio.timeout(10):
            while not self or self[-1] < position:
                await asyncio.sleep(0)


async def record(store: InMemoryEventStore, *customer_ids: str) -> None:
    for customer_id in customer_ids:
        await store.append(an_append("x-1", an_event(customer_id=customer_id)))


async def test_listeners_are_given_what_comes_after_they_joined() -> None:
    store = InMemoryEventStore()
    broadcast = Broadcast(store)
    await record(store, "ann", "ann")
    ann, both = Heard(), Heard()

    with broadcast.listening(["ann"], ann.listen), broadcast.listening(["ann", "~v"], both.listen):
        assert await broadcast.joined() == 2
        await record(store, "ann", "bob", "~v", "ann")
        await ann.until(6)
        await both.until(6)

    assert (ann, both) == ([3, 6], [3, 5, 6])


async def test_who_leaves_hears_nothing_more_and_others_go_on() -> None:
    store = InMemoryEventStore()
    broadcast = Broadcast(store)
    first, second = Heard(), Heard()

    with broadcast.listening(["ann"], second.listen):
        with broadcast.listening(["ann"], first.listen):
            await broadcast.joined()
            await record(store, "ann")
            await first.until(1)
        await record(store, "ann")
        await second.until(2)

    assert (first, second) == ([1], [1, 2])


async def test_the_log_is_followed_anew_by_those_who_come_later() -> None:
    store = InMemoryEventStore()
    broadcast = Broadcast(store)
    with broadcast.listening(["ann"], Heard().listen):
        await broadcast.joined()
    await record(store, "ann")
    late = Heard()

    with broadcast.listening(["ann"], late.listen):
        assert await broadcast.joined() == 1
        await record(store, "ann")
        await late.until(2)

    assert late == [2]
