"""Live streams follow the log, and never a read model, which may be behind or out of order."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from app.eventstore.broadcast import Broadcast
from app.eventstore.port import EventStore
from app.http.live import LiveEvent, Subscription
from app.kernel.errors import PositionBeyondHead
from app.kernel.event import RecordedEvent

BACKLOG_PAGE_EVENTS = 100

Events = AsyncGenerator[Sequence[RecordedEvent], None]
LiveEvents = AsyncGenerator[Sequence[LiveEvent], None]
Keep = Callable[[Sequence[RecordedEvent]], Sequence[RecordedEvent]]
"""What a live stream shows of some events, in order; it must not wait."""


class LiveLog:
    """The log as live streams follow it, each in order, without gap or repeat."""

    def __init__(self, store: EventStore, broadcast: Broadcast) -> None:
        """Take the log, and what is told of its growth."""
        self._store = store
        self._broadcast = broadcast

    async def head(self, after: int | None) -> int:
        """The head of the log. Raises `PositionBeyondHead` when a client resumes beyond it."""
        head = await self._store.head()
        if after is not None and after > head:
            raise PositionBeyondHead(f"the log ends at position {head}", field="Last-Event-ID")
        return head

    async def events(self, customer_ids: Iterable[str], after: int, keep: Keep) -> Events:
        """What is kept of some customers' events after a position, then as they come.

        Ends when its reader is too slow, who then resumes from the last event that it has got.
        """
        ids, last = list(customer_ids), after
        subscription = Subscription[RecordedEvent]()
        with self._broadcast.listening(ids, lambda events: subscription.offer(keep(events))):
            await self._broadcast.joined()
            while page := await self._store.read_log(
                after=last, limit=BACKLOG_PAGE_EVENTS, customer_ids=ids
            ):
                if events := keep(page):
                    yield events
                last = page[-1].position
            async for batch in subscription:
                if fresh := [event for event in batch if event.position > last]:
                    yield fresh
                    last = fresh[-1].position
