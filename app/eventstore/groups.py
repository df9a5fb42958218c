"""Which waiting appends may travel together, and how a group is written down."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from app.eventstore.port import Append, Appended

MAX_GROUP_EVENTS = 1_000
MAX_GROUP_BYTES = 4 * 1024 * 1024
MAX_HELD_APPENDS = 1_000


class _Record(Struct, frozen=True, omit_defaults=True):
    """An event as `append_events` reads it; the append's number is put before it in the group."""

    event_id: UUID
    stream: str
    type: str
    schema_version: int
    data: Raw
    metadata: Raw
    expected: int | None = None
    known: int | None = None
    customer_id: str | None = None
    occurred_at: datetime | None = None


_encoder = msgspec.json.Encoder()


@dataclass(slots=True, eq=False)
class Waiting:
    """An append that waits for its group, and whoever waits for its outcome."""

    append: Append
    answer: Any
    """The future that gets the outcome or the error."""
    give_up_at: float = 0.0
    """When the caller gets an error instead of another try, by `perf_counter`."""
    unit_events: int = 0
    """On the first append of several sent together: how many events they are, to stay together."""
    records: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    sent: bool = False
    """Whether it was sent before, so that the store may know it although nobody was answered."""

    @property
    def event_ids(self) -> list[UUID]:
        """The ids of its events, in order."""
        return [event.event_id for part in self.append.streams for event in part.events]

    def encode(self, known_versions: Mapping[str, int]) -> None:
        """Write its records, once, while other groups are on their way.

        Raises `ValueError`, `TypeError` or `OverflowError` for what no JSON can say.
        """
        self.records = [
            _encoder.encode(
                _Record(
                    event_id=event.event_id,
                    stream=part.stream,
                    type=event.type,
                    schema_version=event.schema_version,
                    data=event.data,
                    metadata=event.metadata,
                    expected=part.expected_version,
                    known=known_versions.get(part.stream),
                    customer_id=event.customer_id,
                    occurred_at=event.occurred_at,
                )
            )
            for part in self.append.streams
            for event in part.events
        ]
        if any(b"\0" in record for record in self.records):
            raise ValueError("a NUL byte stands in the JSON")
        self.size_bytes = sum(map(len, self.records))

    def resolve(self, outcome: Appended | Exception) -> None:
        """Answer, unless nobody waits any more."""
        if self.answer.done():
            return
        if isinstance(outcome, Appended):
            self.answer.set_result(outcome)
        else:
            self.answer.set_exception(outcome)


def encode_group(group: Sequence[Waiting]) -> bytes:
    """The request of `append_events`: a JSON array of flat records."""
    return b"[%s]" % b",".join(
        b'{"append":%d,%s' % (number, record[1:])
        for number, waiting in enumerate(group)
        for record in waiting.records
    )


def take_group(queue: deque[Waiting]) -> list[Waiting]:
    """Take from the queue's front what may travel together; what may not keeps its order.

    An append that expects an exact version shares no group with another append to its stream, and
    no event id occurs twice in a group. The append behind one that has to wait waits too when it
    is for the same stream or has an event id of it.
    """
    group: list[Waiting] = []
    held: list[Waiting] = []
    rules = _Rules()
    events = size_bytes = 0
    while queue:
        waiting = queue[0]
        fits = (
            events + max(waiting.unit_events, len(waiting.records)) <= MAX_GROUP_EVENTS
            and size_bytes + waiting.size_bytes <= MAX_GROUP_BYTES
        )
        if group and (not fits or len(held) == MAX_HELD_APPENDS):
            break
        queue.popleft()
        if rules.admit(waiting):
            group.append(waiting)
            events += len(waiting.records)
            size_bytes += waiting.size_bytes
        else:
            held.append(waiting)
    queue.extendleft(reversed(held))
    return group


class _Rules:
    """What a group holds already, and the streams that must wait for the next one."""

    def __init__(self) -> None:
        self._event_ids: set[UUID] = set()
        self._streams: set[str] = set()
        self._exact: set[str] = set()
        self._blocked: set[str] = set()

    def admit(self, waiting: Waiting) -> bool:
        streams = [part.stream for part in waiting.append.streams]
        exact = [p.stream for p in waiting.append.streams if p.expected_version is not None]
        is_new = self._event_ids.isdisjoint(waiting.event_ids)
        self._event_ids.update(waiting.event_ids)
        if (
            not is_new
            or not self._blocked.isdisjoint(streams)
            or not self._exact.isdisjoint(streams)
            or not self._streams.isdisjoint(exact)
        ):
            self._blocked.update(streams)
            return False
        self._streams.update(streams)
        self._exact.update(exact)
        return True


def halves(group: Sequence[Waiting]) -> Iterable[list[Waiting]]:
    """The two halves of a group, in order."""
    middle = len(group) // 2
    return list(group[:middle]), list(group[middle:])
