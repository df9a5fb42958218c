"""Events that are newer than this code: it waits before them, or refuses, and says so."""

import structlog

from app.eventstore.batch import Checkpoint, Span, known_events
from app.eventstore.checkpoints import note_error
from app.eventstore.database import Connection, rows_of, sql
from app.kernel.errors import UnknownEvent
from app.kernel.event import EventCatalogue

_FIRST_UNKNOWN = sql("app.eventstore", "unknown_in_batch")

_log = structlog.get_logger(__name__)


class Waiting:
    """Stops a consumer before an event that its code does not know, and notes it once."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Take the consumer's checkpoint, at which it is noted."""
        self._checkpoint = checkpoint
        self._noted: int | None = None

    async def is_before(self, connection: Connection, span: Span) -> bool:
        """Whether the span is empty because such an event comes next."""
        if span.unknown is None or span.upto > span.after:
            return False
        if self._noted != span.unknown:
            message = _message(span.unknown)
            _log.error("consumer_waits", consumer=self._checkpoint.consumer, error=message)
            await note_error(connection, self._checkpoint, message)
            self._noted = span.unknown
        return True


def refuse_unknown(span: Span | None) -> None:
    """Raise `UnknownEvent` where the span had to end before such an event."""
    if span is not None and span.unknown is not None:
        raise UnknownEvent(_message(span.unknown))


async def refuse_unknown_in_batch(connection: Connection, catalogue: EventCatalogue) -> None:
    """Raise `UnknownEvent` where the relation `batch` has such an event."""
    [(unknown,)] = await rows_of(connection, _FIRST_UNKNOWN, known_events(catalogue))
    if unknown is not None:
        raise UnknownEvent(_message(unknown))


def _message(position: int) -> str:
    return f"the event at position {position} is newer than this code, which waits before it"
