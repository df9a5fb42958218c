"""The courier's work: the table `deliveries`, a row each message that somebody has to see to.

It is a function of the log, written by the courier's one consumer together with its checkpoint, and
by nobody else. So it may be behind: whoever takes a row looks at the message's stream again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from app.eventstore.batch import Claim
from app.eventstore.codec import Codec
from app.eventstore.database import Connection, rows_of
from app.eventstore.port import EventStore
from app.kernel.event import Metadata, RecordedEvent
from app.modules.messages.decider import MESSAGE
from app.modules.messages.events import Priority
from app.modules.messages.states import (
    Bounced,
    Dead,
    Message,
    Requested,
    Sending,
    Status,
    Unknown,
    Waiting,
)

CONSUMER = "courier"
STREAMS = "message-"
MAX_BATCH_EVENTS = 1_000
MAX_EVENTS_A_MESSAGE = 1_000
"""Far more than there can be: attempts are bounded, but those that people ask for."""

URGENCY = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}

KEPT = (Waiting, Sending, Unknown, Dead, Bounced)
"""The states that somebody has to see to: the courier, or people."""

_TOUCHED = """
SELECT DISTINCT substr(stream, length('message-') + 1) FROM batch
WHERE starts_with(stream, 'message-')
"""
_ANYBODY_ERASED = """
SELECT EXISTS (
    SELECT FROM batch WHERE type = 'customer.erased' AND starts_with(stream, 'customer-')
)
"""
_FORGET_ERASED = """
DELETE FROM deliveries USING tombstones
WHERE tombstones.customer_id = deliveries.customer_id
"""
_DONE = "DELETE FROM deliveries WHERE message_id = ANY (%s)"
_KEEP = """
INSERT INTO deliveries AS known (
    message_id, customer_id, state, channel, kind, priority, attempts, next_try_at, requested_at,
    changed_at, error
)
SELECT message_id, customer_id, state, channel, kind, priority, attempts, next_try_at, requested_at,
    changed_at, error
FROM jsonb_to_recordset(%s::jsonb) AS new (
    message_id text, customer_id text, state text, channel text, kind text, priority smallint,
    attempts integer, next_try_at timestamptz, requested_at timestamptz, changed_at timestamptz,
    error text
)
WHERE NOT EXISTS (SELECT FROM tombstones WHERE tombstones.customer_id = new.customer_id)
ORDER BY message_id
ON CONFLICT (message_id) DO UPDATE SET
    state = excluded.state, channel = excluded.channel, attempts = excluded.attempts,
    next_try_at = excluded.next_try_at, changed_at = excluded.changed_at, error = excluded.error
"""
_LOOK = """
SELECT clock_now(), coalesce((SELECT min(position) FROM checkpoints WHERE consumer = %s), 0)
"""
_DUE = """
SELECT found.* FROM (VALUES (0), (1), (2)) AS urgency (priority)
CROSS JOIN LATERAL (
    SELECT message_id, channel, attempts FROM deliveries
    WHERE state = 'waiting' AND channel = %(channel)s
        AND deliveries.priority = urgency.priority AND next_try_at <= clock_now()
        AND message_id <> ALL (%(taken)s)
    ORDER BY next_try_at LIMIT %(limit)s
) AS found
ORDER BY urgency.priority LIMIT %(limit)s
"""
_ELSEWHERE = """
SELECT message_id, channel, attempts FROM deliveries
WHERE state = 'waiting' AND channel <> ALL (%(channels)s) AND next_try_at <= clock_now()
    AND message_id <> ALL (%(taken)s)
LIMIT %(limit)s
"""
_INTERRUPTED = """
SELECT message_id, channel, attempts FROM deliveries
WHERE state = 'sending' AND message_id <> ALL (%(taken)s) LIMIT %(limit)s
"""

_metadata = msgspec.json.Decoder(Metadata)
_encoder = msgspec.json.Encoder()


class Due(NamedTuple):
    """A message that it is time for."""

    message_id: str
    channel: str
    attempts: int
    """That were made before; of one that was interrupted, with that one."""


class Delivery(Struct, frozen=True):
    """A row of the table."""

    message_id: str
    customer_id: str
    state: str
    channel: str
    kind: str
    priority: int
    attempts: int
    next_try_at: datetime
    requested_at: datetime
    changed_at: datetime
    error: str | None


class Known(NamedTuple):
    """A message as its stream has it."""

    message: Message
    first: RecordedEvent
    last: RecordedEvent

    @property
    def is_by_rule(self) -> bool:
        """Whether a rule has requested it."""
        return (_metadata.decode(self.first.metadata).actor or "").startswith("rule:")

    @property
    def metadata(self) -> Metadata:
        """What the courier's events say of where they come from."""
        asked = _metadata.decode(self.first.metadata)
        return Metadata(
            correlation_id=asked.correlation_id,
            causation_id=str(self.first.event_id),
            actor=CONSUMER,
            depth=asked.depth,
        )


class Messages:
    """Messages as the log has them."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take where they are read."""
        self._store = store
        self._codec = codec

    async def known(self, message_ids: Iterable[str]) -> dict[str, Known]:
        """Those of the messages that there are."""
        wanted = {f"{STREAMS}{message_id}": 0 for message_id in message_ids}
        if not wanted:
            return {}
        found: dict[str, Known] = {}
        for event in await self._store.read_streams(wanted, limit=MAX_EVENTS_A_MESSAGE):
            message_id = event.stream.removeprefix(STREAMS)
            before = found.get(message_id)
            state = before.message if before else MESSAGE.initial
            state = MESSAGE.evolve(state, self._codec.decode(event))
            found[message_id] = Known(state, before.first if before else event, event)
        return found


class Feeding:
    """A step of the courier's consumer: brings the table to where a stretch of the log leads."""

    def __init__(self, claim: Claim, messages: Messages) -> None:
        """Take the checkpoint's claim, and where messages are read."""
        self._claim = claim
        self._messages = messages

    async def __call__(self, connection: Connection, max_events: int) -> bool | None:
        """Take in at most so many events; whether there are more.

        Events that newer code has written are waited for: until then it goes no further.
        """
        span = await self._claim.run(connection, self._feed, max_events=max_events)
        return span is not None and span.after < span.upto < span.head

    async def _feed(self, connection: Connection) -> None:
        touched = [row[0] for row in await rows_of(connection, _TOUCHED, ())]
        known = await self._messages.known(touched)
        kept = {i: row for i, it in known.items() if (row := _row(i, it)) is not None}
        if kept:
            rows = _encoder.encode([asdict(row) for row in kept.values()]).decode()
            await connection.execute(_KEEP, (rows,))
        if done := sorted(set(touched) - kept.keys()):
            await connection.execute(_DONE, (done,))
        ((anybody_erased,),) = await rows_of(connection, _ANYBODY_ERASED, ())
        if anybody_erased:
            await connection.execute(_FORGET_ERASED)


def _row(message_id: str, known: Known) -> Delivery | None:
    """None when there is nothing to do about the message any more."""
    message, customer_id = known.message, known.first.customer_id
    if not isinstance(message, Requested) or not isinstance(message.status, KEPT):
        return None
    if customer_id is None:  # nobody is to be told
        return None
    status, requested_at = message.status, known.first.recorded_at
    not_before = status.not_before if isinstance(status, Waiting) else None
    return Delivery(
        message_id,
        customer_id,
        state_name(status),
        status.channel,
        message.request.kind,
        URGENCY[message.request.priority],
        message.attempts,
        not_before or requested_at,
        requested_at,
        known.last.recorded_at,
        message.error,
    )


def state_name(status: Status) -> str:
    """What a state is called, such as ``waiting``."""
    return str(status.__struct_config__.tag)


class Look(NamedTuple):
    """How things are at a moment."""

    now: datetime
    """The store's time."""
    position: int
    """How far the table has come."""


async def look(connection: Connection) -> Look:
    """Look at the clock, and at how far the table has come."""
    [row] = await rows_of(connection, _LOOK, (CONSUMER,))
    return Look(*row)


async def due(connection: Connection, channel: str, taken: Sequence[str], limit: int) -> list[Due]:
    """What is due by a channel and nobody's yet: the most urgent first, then by when it is due."""
    values: Mapping[str, Any] = {"channel": channel, "taken": list(taken), "limit": limit}
    return [Due(*row) for row in await rows_of(connection, _DUE, values)]


async def due_elsewhere(
    connection: Connection, channels: Sequence[str], taken: Sequence[str], limit: int
) -> list[Due]:
    """What is due by a channel that is none of these."""
    values = {"channels": list(channels), "taken": list(taken), "limit": limit}
    return [Due(*row) for row in await rows_of(connection, _ELSEWHERE, values)]


async def interrupted(connection: Connection, taken: Sequence[str], limit: int) -> list[Due]:
    """What was begun and is nobody's."""
    values = {"taken": list(taken), "limit": limit}
    return [Due(*row) for row in await rows_of(connection, _INTERRUPTED, values)]
