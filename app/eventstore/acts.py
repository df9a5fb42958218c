"""Acts: what somebody did that leaves nothing to decide, recorded as it is."""

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.port import Append, Appended, EventStore, StreamAppend
from app.kernel.event import Event, Metadata, NewEvent
from app.kernel.ids import new_event_id

AUDIT = "audit"
"""The category of acts on something that has no stream of its own."""


class Acts:
    """Records acts in an event store."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take the store, and what encodes the events."""
        self._store = store
        self._codec = codec

    async def record(
        self, stream: str, event: Event, metadata: Metadata, *, customer_id: str | None = None
    ) -> Appended:
        """Append the event, whatever else the stream holds. Raises what `EventStore.append` does.

        The metadata says who acts, and in which request. Record an act before it is done: then
        nothing is done that nobody knows of.
        """
        recorded = NewEvent(
            event_id=new_event_id(),
            type=event.tag,
            data=self._codec.encode(event),
            metadata=encode_metadata(metadata),
            schema_version=event.schema_version,
            customer_id=customer_id,
        )
        return await self._store.append(Append((StreamAppend(stream, (recorded,)),)))
