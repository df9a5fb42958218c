"""The streams that reactions decide on, folded; what is remembered spares reading it again."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.decider import Decider
from app.kernel.event import Event, RecordedEvent

MAX_STREAMS = 20_000
PAGE_EVENTS = 1_000


class Folded(Struct):
    """A stream's state, the version that the store has of it, and what is to be appended to it."""

    decider: Decider[Any, Any]
    state: Any
    version: int = 0
    decided: int = 0

    def decide(self, command: Any) -> Sequence[Event]:
        """What the decider says of a command; the state goes on as if it were recorded."""
        events = self.decider.decide(command, self.state)
        self.state = self.decider.fold(events, self.state)
        self.decided += len(events)
        return events


class Streams:
    """Streams as they were when they were read last."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take where they are read."""
        self._store = store
        self._codec = codec
        self._known: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    async def load(self, wanted: Mapping[str, Decider[Any, Any]]) -> dict[str, Folded]:
        """Streams by name as they are now, to decide on."""
        folded = {}
        for stream, decider in wanted.items():
            state, version = self._known.get(stream, (decider.initial, 0))
            folded[stream] = Folded(decider, state, version)
        ask = {stream: found.version for stream, found in folded.items()}
        while ask:
            events = await self._store.read_streams(ask, limit=PAGE_EVENTS)
            ask = self._fold(folded, events)
        for stream, found in folded.items():
            self._known[stream] = (found.state, found.version)
            self._known.move_to_end(stream)
        while len(self._known) > MAX_STREAMS:
            self._known.popitem(last=False)
        return folded

    def _fold(
        self, folded: Mapping[str, Folded], events: Sequence[RecordedEvent]
    ) -> dict[str, int]:
        """Fold the events; those that have more, and after which version."""
        counts: dict[str, int] = {}
        for event in events:
            found = folded[event.stream]
            found.state = found.decider.evolve(found.state, self._codec.decode(event))
            found.version = event.version
            counts[event.stream] = counts.get(event.stream, 0) + 1
        return {
            stream: folded[stream].version
            for stream, count in counts.items()
            if count == PAGE_EVENTS
        }
