"""Which waiting appends may travel together, and how a group is written down."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.eventstore.heads import Heads
from app.eventstore.port import Append, Appended

MAX_GROUP_EVENTS = 1_000
MAX_GROUP_BYTES = 4 * 1024 * 1024
MAX_HELD_APPENDS = 1_000


_encoder = msgspec.json.Encoder()
_NUL = 0  # `in` finds a byte fastest by its number


class Waiting(Struct, eq=False):
    """An append that waits for its group, and whoever waits for its outcome."""

    append: Append
    answer: Any
    """The `Waiter` that gets the outcome or the error."""
    give_up_at: float = 0.0
    """When the caller gets an error instead of another try, by `perf_counter`."""
    unit_events: int = 0
    """On the first append of several sent together: how many events they are, to stay together."""
    records: list[bytes] = []
    """Of `append_events`, an event each, without the brace that opens one."""
    size_bytes: int = 0
    sent: bool = False
    """Whether it was sent before, so that the store may know it although nobody was answered."""

    @property
    def is_fresh(self) -> bool:
        """Whether nothing recorded should refuse it: it expects no version, and is sent first."""
        for part in self.append.streams:
            if part.expected_version is not None:
                return False
        return not self.sent

    @property
    def event_ids(self) -> list[UUID]:
        """The ids of its events, in order."""
        return [event.event_id for part in self.append.streams for event in part.events]

    def encode(self) -> None:
        """Write its records, once, while other groups are on their way.

        Raises `ValueError`, `TypeError` or `OverflowError` for what no JSON can say.
        """
        self.records, self.size_bytes = [], 0
        for part in self.append.streams:
            stream = b'"stream":%b,' % _encoder.encode(part.stream)
            if part.expected_version is not None:
                stream += b'"expected":%d,' % part.expected_version
            if self.append.internal:
                stream += b'"internal":true,'
            for event in part.events:
                record = stream + _encoder.encode(event)[1:]
                if _NUL in record:
                    raise ValueError("a NUL byte stands in the JSON")
                self.records.append(record)
                self.size_bytes += len(record)

    def resolve(self, outcome: Appended | Exception) -> None:
        """Answer, unless nobody waits any more."""
        if self.answer.done():
            return
        if isinstance(outcome, Appended):
            self.answer.set_result(outcome)
        else:
            self.answer.set_exception(outcome)


def encode_group(group: Sequence[Waiting], heads: Heads, *, fresh: bool = False) -> bytes:
    """The request of `append_events`: a JSON array of flat records, with what is known of their
    streams. What the function takes for granted is left out, for each key costs it time.
    """
    records: list[bytes] = []
    numbers: dict[str, int] = {}
    for append, waiting in enumerate(group):
        place = b"" if fresh else b'"append":%d,' % append
        encoded = iter(waiting.records)
        for part in waiting.append.streams:
            number = numbers.get(part.stream, 0) if part.expected_version is None else 0
            hint = heads.hint(part.stream)
            for _ in part.events:
                number += 1
                nth = b'"nth":%d,' % number if number > 1 else b""
                records.append(b"{%b%b%b%b" % (place, nth, hint, next(encoded)))
            numbers[part.stream] = number
    return b"[%b]" % b",".join(records)


def take_group(queue: deque[Waiting], *, max_appends: int = MAX_GROUP_EVENTS) -> list[Waiting]:
    """Take from the queue's front what may travel together; what may not keeps its order.

    An append that expects an exact version shares no group with another append to its stream, and
    no event id occurs twice in a group. The append behind one that has to wait waits too when it
    is for the same stream or has an event id of it. Appends that were submitted together stay
    together, also when they are more than `max_appends`.
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
        is_full = len(group) >= max_appends and waiting.unit_events
        if group and (is_full or not fits or len(held) == MAX_HELD_APPENDS):
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
        self._event_ids: set[int] = set()
        self._is_open: dict[str, bool] = {}
        """Of each stream that was met, whether appends that expect any version may still come: one
        behind an exact version, or behind an append that waits, waits as well.
        """

    def admit(self, waiting: Waiting) -> bool:
        event_ids, is_open = self._event_ids, self._is_open
        admitted = True
        for part in waiting.append.streams:
            if part.stream in is_open:
                admitted &= is_open[part.stream] and part.expected_version is None
            for event in part.events:
                if event.event_id.int in event_ids:
                    admitted = False
        for part in waiting.append.streams:
            is_open[part.stream] = admitted and part.expected_version is None
            for event in part.events:
                event_ids.add(event.event_id.int)
        return admitted


def halves(group: Sequence[Waiting]) -> Iterable[list[Waiting]]:
    """The two halves of a group, in order."""
    middle = len(group) // 2
    return list(group[:middle]), list(group[middle:])
