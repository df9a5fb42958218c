"""The event store as a port: what is appended, what comes back, and what every store can do."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from app.kernel.event import NewEvent, RecordedEvent

ANY = None
"""Expected version: the writer does not care."""
NO_STREAM = 0
"""Expected version: the stream has no event yet."""


class StreamAppend(Struct, frozen=True):
    """Events for one stream, in order, and the version that the writer expects it to have."""

    stream: str
    events: tuple[NewEvent, ...]
    expected_version: int | None = ANY


class Append(Struct, frozen=True):
    """What is appended all or nothing: one stream or several."""

    streams: tuple[StreamAppend, ...]
    fingerprint: str | None = None
    """Compared with the recorded one when the first event's id is recorded already."""
    internal: bool = False
    """Whether a process of ours ends here what it began, which it may for the erased too."""


class AppendedEvent(Struct, frozen=True):
    """Where an event came to stand."""

    event_id: UUID
    type: str
    stream: str
    version: int
    position: int


class Appended(Struct, frozen=True):
    """The outcome of an append, in the order of its events."""

    events: tuple[AppendedEvent, ...]
    repeated: bool = False
    """Whether it had been recorded before, and this call changed nothing."""


class Waiter(Protocol):
    """Whoever is told the outcome of an append; a future is one. To be told must not fail."""

    def done(self) -> bool:
        """Whether nothing is to be told any more."""
        ...

    def set_result(self, outcome: Appended, /) -> None:
        """Recorded."""
        ...

    def set_exception(self, error: Exception, /) -> None:
        """Not recorded, or who knows; see `EventStore.append`."""
        ...


class EventStore(Protocol):
    """An append-only log of events in streams.

    Positions are dense and become visible in order, so a reader that remembers the last position
    it has seen misses nothing and sees nothing twice.
    """

    async def append(self, append: Append) -> Appended:
        """Record the events, all or nothing, and answer after they are durable.

        Raises `WrongExpectedVersion`, `IdempotencyConflict` (the first event's id is recorded with
        another fingerprint), `Erased` (an event's customer was), `UnstorableValue`, or
        `StoreUnavailable`, after which it is unknown
        whether the events were recorded and sending the same ids again is safe.
        """
        ...

    async def append_many(self, appends: Sequence[Append]) -> Sequence[Appended | Exception]:
        """Record each append alone, in order, as one group; an outcome or its error for each."""
        ...

    async def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> Sequence[RecordedEvent]:
        """Events of one stream, by version; none when there is no such stream."""
        ...

    async def read_streams(
        self, after_versions: Mapping[str, int], *, limit: int
    ) -> Sequence[RecordedEvent]:
        """Events of several streams, each after a version; of each the next ones, at most so many.

        In the order of the versions within each stream.
        """
        ...

    async def read_log(
        self, *, after: int, limit: int, customer_ids: Sequence[str] | None = None
    ) -> Sequence[RecordedEvent]:
        """Events of the log after a position (exclusive), ascending; some customers' if given."""
        ...

    async def read_category(
        self, category: str, *, limit: int, after: int = 0
    ) -> Sequence[RecordedEvent]:
        """Events of every stream of a category, such as ``order``, after a position, ascending.

        For categories that hold little: all that they hold is looked at.
        """
        ...

    async def head(self) -> int:
        """The last position of the log; 0 when it is empty."""
        ...

    async def find(self, event_id: UUID) -> RecordedEvent | None:
        """The event with this id, if it is recorded."""
        ...

    def follow(self, after: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Batches of the log after a position, for ever; waits where the log ends."""
        ...

    async def now(self) -> datetime:
        """The store's time (`clock_now()`)."""
        ...
