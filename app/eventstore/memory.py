"""An event store in memory, for tests: the same port, passed by the same contract suite."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Raw

from app.eventstore.port import Append, Appended, AppendedEvent
from app.kernel.clock import Clock, system_clock
from app.kernel.errors import Erased, IdempotencyConflict, UnstorableValue, WrongExpectedVersion
from app.kernel.event import Metadata, RecordedEvent


class InMemoryEventStore:
    """Keeps the log in a list. Nothing in it is older than this code, so nothing is upcast."""

    def __init__(self, clock: Clock = system_clock) -> None:
        """Start with an empty log."""
        self._clock = clock
        self._log: list[RecordedEvent] = []
        self._by_id: dict[UUID, RecordedEvent] = {}
        self._versions: dict[str, int] = {}
        self._grown = asyncio.Condition()
        self.tombstones: set[str] = set()
        """Whose events are refused."""

    async def append(self, append: Append) -> Appended:
        """See `EventStore.append`."""
        appended = [event for part in append.streams for event in part.events]
        for event in appended:  # before anything else, as PostgreSQL reads all before it looks
            _check_storable(event.data)
        recorded = [self._by_id.get(event.event_id) for event in appended]
        if any(recorded):
            return _repeated(recorded, append)
        if not append.internal and any(e.customer_id in self.tombstones for e in appended):
            raise Erased
        for part in append.streams:
            actual = self._versions.get(part.stream, 0)
            if part.expected_version not in {None, actual}:
                raise WrongExpectedVersion(part.stream, part.expected_version or 0, actual)
        events = self._numbered(append)
        async with self._grown:
            self._log += events
            self._by_id |= {event.event_id: event for event in events}
            self._versions |= {event.stream: event.version for event in events}
            self._grown.notify_all()
        return Appended(tuple(map(_appended, events)))

    async def append_many(self, appends: Sequence[Append]) -> list[Appended | Exception]:
        """See `EventStore.append_many`."""
        outcomes: list[Appended | Exception] = []
        for append in appends:
            try:
                outcomes.append(await self.append(append))
            except Exception as error:  # each append has its own outcome
                outcomes.append(error)
        return outcomes

    async def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        """See `EventStore.read_stream`."""
        found = [e for e in self._log if e.stream == stream and e.version > after_version]
        return found[:limit]

    async def read_streams(
        self, after_versions: Mapping[str, int], *, limit: int
    ) -> list[RecordedEvent]:
        """See `EventStore.read_streams`."""
        return [
            event
            for stream, version in after_versions.items()
            for event in await self.read_stream(stream, after_version=version, limit=limit)
        ]

    async def read_log(
        self, *, after: int, limit: int, customer_ids: Sequence[str] | None = None
    ) -> list[RecordedEvent]:
        """See `EventStore.read_log`."""
        return [
            event
            for event in self._log[after:]
            if customer_ids is None or event.customer_id in customer_ids
        ][:limit]

    async def read_category(
        self, category: str, *, limit: int, after: int = 0
    ) -> list[RecordedEvent]:
        """See `EventStore.read_category`."""
        prefix = f"{category}-"
        return [event for event in self._log[after:] if event.stream.startswith(prefix)][:limit]

    async def head(self) -> int:
        """See `EventStore.head`."""
        return len(self._log)

    async def find(self, event_id: UUID) -> RecordedEvent | None:
        """See `EventStore.find`."""
        return self._by_id.get(event_id)

    async def follow(self, after: int) -> AsyncIterator[list[RecordedEvent]]:
        """See `EventStore.follow`."""
        while True:
            async with self._grown:
                while len(self._log) <= after:
                    await self._grown.wait()
                batch = self._log[after:]
            after = len(self._log)
            yield batch

    async def now(self) -> datetime:
        """See `EventStore.now`."""
        return self._clock()

    def _numbered(self, append: Append) -> list[RecordedEvent]:
        now = self._clock()
        if self._log:
            now = max(now, self._log[-1].recorded_at)
        versions = dict(self._versions)
        events: list[RecordedEvent] = []
        for part in append.streams:
            for event in part.events:
                versions[part.stream] = versions.get(part.stream, 0) + 1
                events.append(
                    RecordedEvent(
                        position=len(self._log) + len(events) + 1,
                        event_id=event.event_id,
                        stream=part.stream,
                        version=versions[part.stream],
                        type=event.type,
                        schema_version=event.schema_version,
                        customer_id=event.customer_id,
                        data=event.data,
                        metadata=event.metadata,
                        occurred_at=event.occurred_at or now,
                        recorded_at=now,
                    )
                )
        return events


def _check_storable(data: Raw) -> None:
    """Refuse what PostgreSQL's jsonb refuses, as far as a plain check can tell."""
    if b"\\u0000" in bytes(data):
        raise UnstorableValue("unsupported Unicode escape sequence", field="data")
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise UnstorableValue(str(error), field="data") from None


def _repeated(recorded: Sequence[RecordedEvent | None], append: Append) -> Appended:
    first = recorded[0]
    if (
        first is None
        or msgspec.json.decode(first.metadata, type=Metadata).fingerprint != append.fingerprint
    ):
        raise IdempotencyConflict
    return Appended(tuple(_appended(event) for event in recorded if event), repeated=True)


def _appended(event: RecordedEvent) -> AppendedEvent:
    return AppendedEvent(event.event_id, event.type, event.stream, event.version, event.position)
