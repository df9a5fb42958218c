"""One follower of the log for all live streams of a process."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from app.eventstore.port import EventStore
from app.kernel.errors import StoreUnavailable
from app.kernel.event import RecordedEvent

RETRY_AFTER_S = 1.0

Listener = Callable[[Sequence[RecordedEvent]], object]
"""Is given the new events of whomever it listens for, in order; it must not wait."""
Concerns = Callable[[RecordedEvent], Iterable[str]]
"""The ids of those whom an event concerns."""

_log = structlog.get_logger(__name__)


def its_customer(event: RecordedEvent) -> Iterable[str]:
    """Whose the event is."""
    return () if event.customer_id is None else (event.customer_id,)


class Broadcast:
    """Passes new events to whoever listens for their customer, or for others whom they concern.

    It follows the log only while somebody listens. `joined` tells a listener from which position
    on it is given everything, so that it can read what came before from the log itself.
    """

    def __init__(self, store: EventStore, concerns: Concerns = its_customer) -> None:
        """Nothing is followed yet."""
        self._store = store
        self._concerns = concerns
        self._listeners: dict[str, set[Listener]] = {}
        self._position: int | None = None
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, ids: Iterable[str], listener: Listener) -> Iterator[None]:
        """Pass what concerns these to the listener for the time of the block."""
        ids = set(ids)
        for each in ids:
            self._listeners.setdefault(each, set()).add(listener)
        try:
            yield
        finally:
            for each in ids:
                self._listeners[each].discard(listener)
                if not self._listeners[each]:
                    del self._listeners[each]
            if not self._listeners:
                self.close()

    async def joined(self) -> int:
        """The position after which those who listen now are given everything."""
        if self._position is None:
            head = await self._store.head()
            if self._position is None:  # nobody was faster meanwhile
                self._position = head
                self._task = asyncio.create_task(self._follow())
        return self._position

    def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._position = None

    async def _follow(self) -> None:
        while self._position is not None:
            try:
                async for batch in self._store.follow(self._position):
                    self._pass_on(batch)
                    self._position = batch[-1].position
            except StoreUnavailable as error:
                _log.warning("broadcast_interrupted", error=str(error))
                await asyncio.sleep(RETRY_AFTER_S)

    def _pass_on(self, batch: Sequence[RecordedEvent]) -> None:
        heard: dict[Listener, list[RecordedEvent]] = {}
        for event in batch:
            for each in self._concerns(event):
                for listener in self._listeners.get(each, ()):
                    heard.setdefault(listener, []).append(event)
        for listener, events in heard.items():
            listener(events)
