"""The log as its readers see it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct


class Entry(Struct, frozen=True):
    """A recorded event, as far as anybody here wants to know."""

    position: int
    stream: str
    type: str
    data: Mapping[str, Any]
    recorded_at: datetime
    customer_id: str | None = None
    event_id: str = ""
    metadata: Mapping[str, Any] = {}


class Log:
    """Events by their streams, each in order."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """The events are in the log's order."""
        self.entries: list[Entry] = []
        self._streams: defaultdict[str, list[Entry]] = defaultdict(list)
        self.add(entries)

    @property
    def position(self) -> int:
        """Of the last event."""
        return self.entries[-1].position if self.entries else 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Further events."""
        for entry in entries:
            self.entries.append(entry)
            self._streams[entry.stream].append(entry)

    def stream(self, name: str) -> Sequence[Entry]:
        """The events of one stream; none where there is none."""
        return self._streams.get(name, ())

    def things(self, category: str) -> Iterator[tuple[str, Sequence[Entry]]]:
        """The ids of all things of a category, and their events."""
        prefix = f"{category}-"
        for name, entries in self._streams.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), entries
