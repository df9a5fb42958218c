"""A customer's inbox as it happens: it follows the log, not the read model."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import Struct

from app.eventstore.seeing import seen
from app.http.access import principal_of, requires
from app.http.live import LiveEvent, LiveStream, last_event_id
from app.kernel.cipher import Discloses, View
from app.kernel.event import RecordedEvent
from app.kernel.ids import check_id
from app.modules.messages.events import (
    INBOX,
    MessageRead,
    MessageRequested,
    MessageSending,
)
from projections.inbox.queries import message_of
from projections.live import LiveEvents, LiveLog

_STREAMS = "message-"
"""What the names of messages' streams begin with; services may use any type in their own."""

_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(MessageRequested)
_sendings = msgspec.json.Decoder(MessageSending)


class ReadMark(Struct, frozen=True):
    """That a message was read."""

    message_id: str
    position: int
    read_at: datetime


class LiveInboxes:
    """Streams of what happens in inboxes, each in the log's order, without gap or repeat."""

    def __init__(self, log: LiveLog) -> None:
        """Take the log."""
        self._log = log

    async def changes(self, customer_id: str, after: int | None, view: View) -> LiveEvents:
        """What happened after a position, then as it comes; only from now on when it is None.

        Raises `PositionBeyondHead` at once. Ends when its reader is too slow.
        """
        head = await self._log.head(after)
        return self._changes(customer_id, head if after is None else after, view)

    async def _changes(self, customer_id: str, after: int, view: View) -> LiveEvents:
        async with aclosing(self._log.events([customer_id], after, _of_inboxes)) as batches:
            async for batch in batches:
                yield [_live(event) for event in await seen(batch, view)]


def _of_inboxes(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    return [e for e in events if e.stream.startswith(_STREAMS) and _is_shown(e)]


def _is_shown(event: RecordedEvent) -> bool:
    """`apply.sql` says the same of what puts a message there."""
    match event.type:
        case MessageRead.tag:
            return True
        case MessageRequested.tag:
            return _requests.decode(event.data).is_in_inbox
        case MessageSending.tag:
            return _sendings.decode(event.data).channel == INBOX
        case _:
            return False


def _live(event: RecordedEvent) -> LiveEvent:
    message_id, position = event.stream.removeprefix(_STREAMS), event.position
    if event.type == MessageRead.tag:
        read = ReadMark(message_id, position, event.occurred_at)
        return LiveEvent(position, "read", _encoder.encode(read))
    message = message_of(message_id, position, event.data, requested_at=event.occurred_at)
    return LiveEvent(position, "message", _encoder.encode(message))


def live_inbox_routes(
    live: LiveInboxes, closing: asyncio.Event, discloses: Discloses
) -> list[HTTPRouteHandler]:
    """``GET /v1/customers/{customer_id}/inbox/live``; streams end when `closing` is set."""

    @get(
        "/v1/customers/{customer_id:str}/inbox/live",
        opt=requires("messages:read", own="customer_id"),
        tags=["Messages"],
        summary="Follow a customer's inbox",
        media_type="text/event-stream",
    )
    async def follow_inbox(request: Request[Any, Any, Any], customer_id: FromPath[str]) -> ASGIApp:
        """Server-sent events: `message`, a message as the inbox shows it, as soon as it is
        requested; and `read`, with the `message_id`, when one was read.

        The `id` of each is its position. Sent as `Last-Event-ID`, it resumes the stream after that
        event without a gap or a repeat; without it, the stream begins with what comes next.
        """
        check_id(customer_id, field="customer_id")
        view = discloses.to(principal_of(request.scope))
        changes = await live.changes(customer_id, last_event_id(request.scope), view)
        return LiveStream(changes, closing=closing)

    return [follow_inbox]
