"""A page of events is bounded by its bytes, too; and the next one goes on where it ended."""

from collections.abc import Sequence

import pytest
from msgspec import Raw
from msgspec.structs import replace

from app.eventstore import routes
from app.eventstore.memory import InMemoryEventStore
from app.eventstore.routes import PART_EVENTS, read_page
from app.kernel.event import RecordedEvent
from tests.controls.events import an_append, an_event

pytestmark = pytest.mark.anyio

EVENTS = 2 * PART_EVENTS + 1


async def test_pages_end_at_their_limit_or_when_they_are_large_and_miss_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = InMemoryEventStore()
    large = Raw(b'{"note":"%b"}' % (b"x" * 1_000))
    for _ in range(EVENTS):
        await store.append(an_append("order-1", replace(an_event(), data=large)))

    async def pages(limit: int) -> list[int]:
        sizes, last = [], 0
        while True:

            async def read(
                event: RecordedEvent | None, limit: int, after: int = last
            ) -> Sequence[RecordedEvent]:
                return await store.read_log(after=event.position if event else after, limit=limit)

            page, more = await read_page(read, limit)
            assert [event.position for event in page] == list(range(last + 1, last + len(page) + 1))
            sizes.append(len(page))
            if not more:
                return sizes
            last = page[-1].position

    assert await pages(1_000) == [EVENTS]
    assert await pages(PART_EVENTS + 1) == [PART_EVENTS + 1, PART_EVENTS]
    monkeypatch.setattr(routes, "MAX_PAGE_BYTES", 50_000)
    assert await pages(1_000) == [PART_EVENTS, PART_EVENTS, 1]
