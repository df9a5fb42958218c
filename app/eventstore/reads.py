"""Streams read for many who ask at a time: one round trip, as appends have it.

Those who ask while a read is under way are answered by the next one, which begins after they asked.
"""

import asyncio
from collections.abc import Sequence

from app.eventstore.port import EventStore
from app.kernel.errors import StoreUnavailable
from app.kernel.event import RecordedEvent

MAX_STREAMS_A_READ = 200

_Asked = tuple[str, int, asyncio.Future[Sequence[RecordedEvent]]]


class SharedReads:
    """Reads streams, of each the events after a version, at most so many."""

    def __init__(self, store: EventStore, *, limit: int) -> None:
        """Take where they are read."""
        self._store = store
        self._limit = limit
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    async def read(self, stream: str, after_version: int) -> Sequence[RecordedEvent]:
        """The next events of a stream. Raises what `EventStore.read_streams` raises for it."""
        answer: asyncio.Future[Sequence[RecordedEvent]] = asyncio.Future()
        self._asked.append((stream, after_version, answer))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        while self._asked:
            await self._answer(self._taken())

    def _taken(self) -> Sequence[_Asked]:
        """Those who come next. Who asks for other events of a stream of theirs waits for another
        turn: it would be answered with events that it has, or without some that it has not.
        """
        taken: list[_Asked] = []
        others: list[_Asked] = []
        after: dict[str, int] = {}
        for asked in self._asked:
            stream, version, _ = asked
            fits = len(taken) < MAX_STREAMS_A_READ and after.setdefault(stream, version) == version
            (taken if fits else others).append(asked)
        self._asked = others
        return taken

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        try:
            await self._read(asked)
        except Exception as error:  # it is theirs who asked
            if len(asked) > 1 and not isinstance(error, StoreUnavailable):
                for one in asked:  # one stream may be at fault, of which the others know nothing
                    await self._answer([one])
                return
            for _, _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)

    async def _read(self, asked: Sequence[_Asked]) -> None:
        wanted = {stream: version for stream, version, _ in asked}
        found: dict[str, list[RecordedEvent]] = {stream: [] for stream in wanted}
        for event in await self._store.read_streams(wanted, limit=self._limit):
            found[event.stream].append(event)
        for stream, _, answer in asked:
            if not answer.done():
                answer.set_result(found[stream])
