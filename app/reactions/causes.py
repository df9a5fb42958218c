"""Commands that follow from something, and what their events say of it."""

from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.json import Decoder

from app.kernel.event import Metadata, NewEvent, RecordedEvent
from app.kernel.ids import derived_event_id
from app.kernel.policy import Send

_metadata_decoder = Decoder(Metadata)


class Cause(Struct, frozen=True):
    """What commands follow from: an event, or a timer that an event has set."""

    policy: str
    key: str
    """By which it is told from every other cause: what follows from it twice is recognised."""
    event_id: UUID
    metadata: Metadata
    """Of the events that follow."""

    @property
    def depth(self) -> int:
        """How many reactions led here, with this one."""
        return self.metadata.depth or 0


class Caused(Struct, frozen=True):
    """A command to carry out, the nth of its cause."""

    cause: Cause
    ordinal: int
    send: Send[Any]

    def event_id(self, number: int) -> UUID:
        """The id of the command's event with this number, from 0."""
        key = f"{self.cause.key}:{self.ordinal}"
        return derived_event_id(self.cause.policy, "reaction", key, number)


class Note(Struct, frozen=True):
    """An event to record where nothing is folded; refused when its customer was erased."""

    stream: str
    event: NewEvent
    """Sealed."""

    def event_id(self, _number: int) -> UUID:
        """Its id; it is one event."""
        return self.event.event_id


def cause_of(policy: str, recorded: RecordedEvent) -> Cause:
    """An event as the cause of what a policy makes of it."""
    before = _metadata_decoder.decode(recorded.metadata)
    metadata = Metadata(
        correlation_id=before.correlation_id or str(recorded.event_id),
        causation_id=str(recorded.event_id),
        actor=f"policy:{policy}",
        request_id=before.request_id,
        depth=(before.depth or 0) + 1,
    )
    return Cause(policy, str(recorded.event_id), recorded.event_id, metadata)
