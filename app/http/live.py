"""Live streams: server-sent events to one client, until it goes or we do."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

import structlog
from msgspec import Struct

from app.http.access import Forbidden, Unauthenticated, check_again, owner_of
from app.http.asgi import EVENT_STREAM, AnyScope, Headers, Receive, Scope, Send, pieces_of
from app.http.context import context_of
from app.http.load import SMALL_ANSWER_BYTES, Load, Overloaded
from app.kernel.errors import InvalidInput, TidingsError, named_line

HEARTBEAT = timedelta(seconds=15)
CHECKED_EVERY = timedelta(seconds=2.5)
"""How often it is asked whether a client may still listen: a key that was revoked is no more within
five seconds, in which it is believed for two.
"""
RETRY = timedelta(seconds=1)
"""How long a client waits before it comes back."""
MAX_WAITING_EVENTS = 1000
"""Of one client; one that is further behind is sent away, to resume from what it has."""
MAX_WAITING_BYTES = 128 * 1024
"""Of one client, too, unless it is a single batch."""
MAX_STALL = timedelta(seconds=5)
"""How long a client may refuse to take what it is sent, before it is given up."""
COPIES = 3
"""Of a batch while it is sent: as it was read, as events, and as they are sent."""
MAX_EVENT_ID = 2**63 - 1

_EVENT_ID = re.compile(rb"[0-9]{1,19}")
_HEADERS: Headers = [
    EVENT_STREAM,
    (b"x-accel-buffering", b"no"),  # or nginx would hold events back
]
_HEARTBEAT_COMMENT = b": still here\n\n"

_log = structlog.get_logger("tidings.live")


class Told(Protocol):
    """What may wait for a client."""

    @property
    def data(self) -> bytes:
        """Of as many bytes as it takes while it waits."""
        ...


E = TypeVar("E", bound=Told)


class LiveEvent(Struct, frozen=True):
    """An event on its way to a client."""

    id: int
    """The position, from which a client resumes."""
    name: str
    data: bytes
    """JSON."""


def last_event_id(scope: AnyScope) -> int | None:
    """The position after which a client resumes; None when it has none yet.

    Raises `InvalidInput` for a Last-Event-ID that is no position.
    """
    value = context_of(scope).headers.get(b"last-event-id")
    if value is None:
        return None
    position = int(value) if _EVENT_ID.fullmatch(value) else MAX_EVENT_ID + 1
    if position > MAX_EVENT_ID:
        raise InvalidInput("it is the position of an event", field="Last-Event-ID")
    return position


class Subscription(Generic[E]):
    """What one client is still to be sent: a bounded queue that batches are taken from.

    One task offers, one iterates, in one event loop. When more waits than is allowed, the
    subscription ends at once and what waits is dropped: the client comes back and resumes from the
    last event that it has got, so it misses nothing.
    """

    def __init__(self, *, max_waiting_events: int = MAX_WAITING_EVENTS) -> None:
        """Begin with nothing waiting."""
        self._max_waiting_events = max_waiting_events
        self._waiting: deque[E] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self.is_closed = False

    def offer(self, events: Sequence[E]) -> bool:
        """Let events wait for the client; False when the subscription has ended."""
        size_bytes = sum(len(event.data) for event in events)
        is_too_much = self._waiting_bytes and self._waiting_bytes + size_bytes > MAX_WAITING_BYTES
        if is_too_much or len(self._waiting) + len(events) > self._max_waiting_events:
            self.close()
        if self.is_closed:
            return False
        self._waiting.extend(events)
        self._waiting_bytes += size_bytes
        self._changed.set()
        return True

    def close(self) -> None:
        """End the subscription, and drop what waits."""
        self.is_closed = True
        self._waiting.clear()
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[Sequence[E]]:
        """Everything that waits, batch after batch."""
        return self

    async def __anext__(self) -> Sequence[E]:
        """The next batch, as soon as there is one."""
        while not self._waiting and not self.is_closed:
            self._changed.clear()
            await self._changed.wait()
        if self.is_closed:
            raise StopAsyncIteration
        batch = tuple(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return batch


class _Stalled(Exception):
    """The client takes nothing."""


class LiveStream:
    """An ASGI app that sends batches of events as they come, and heartbeats while none do.

    It ends when the batches end, the client goes, stops reading or may not listen any more, or
    `closing` is set; the batches are closed then, so that a generator's `finally` runs. A client
    resumes by Last-Event-ID.
    """

    def __init__(
        self,
        batches: AsyncIterator[Sequence[LiveEvent]],
        *,
        closing: asyncio.Event,
        heartbeat: timedelta = HEARTBEAT,
    ) -> None:
        """Take where events come from; nothing is asked of it before the client listens."""
        self._batches = batches
        self._closing = closing
        self._heartbeat_seconds = heartbeat.total_seconds()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send events until there is a reason to end. Fits ASGI in Litestar's words and ours.

        Raises `TooManyStreams` or `Overloaded` before anything is sent.
        """
        with context_of(scope).load.streaming(owner_of(scope)):
            await self._stream(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        pump = asyncio.create_task(self._pump(send, context_of(scope).load))
        reasons = (
            pump,
            asyncio.create_task(_until_gone(receive)),
            asyncio.create_task(_until_refused(scope)),
            asyncio.create_task(self._closing.wait()),
        )
        try:
            await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in reasons:
                task.cancel()
            await asyncio.wait(reasons)
        error = None if pump.cancelled() else pump.exception()
        if error is not None and not isinstance(error, _Stalled):
            _log.warning("live stream broke off", exc_info=error)
        if not isinstance(error, _Stalled):
            with suppress(_Stalled):
                await _write(send, b"", more_body=False)

    async def _pump(self, send: Send, load: Load) -> None:
        await _write(send, b"retry: %d\n\n" % (RETRY / timedelta(milliseconds=1)))
        batch = asyncio.create_task(self._next())
        try:
            while True:
                await asyncio.wait({batch}, timeout=self._heartbeat_seconds)
                if not batch.done():
                    await _write(send, _HEARTBEAT_COMMENT)
                    continue
                events = batch.result()
                if events is None:
                    return
                await _write_all(send, b"".join(map(_encode, events)), load)
                batch = asyncio.create_task(self._next())
        except Overloaded:
            return  # the client comes back for what it has not got
        finally:
            batch.cancel()
            await asyncio.wait({batch})
            if isinstance(self._batches, AsyncGenerator):
                await self._batches.aclose()

    async def _next(self) -> Sequence[LiveEvent] | None:
        return await anext(self._batches, None)


def _encode(event: LiveEvent) -> bytes:
    data = b"".join(b"data: %b\n" % line for line in event.data.splitlines())
    return b"id: %d\nevent: %b\n%b\n" % (event.id, event.name.encode(), data)


async def _write(send: Send, body: bytes, *, more_body: bool = True) -> None:
    try:
        async with asyncio.timeout(MAX_STALL.total_seconds()):
            await send({"type": "http.response.body", "body": body, "more_body": more_body})
    except TimeoutError:
        raise _Stalled from None


async def _write_all(send: Send, body: bytes, load: Load) -> None:
    """Send a batch; a large one counts until it is taken. Raises `Overloaded`."""
    if len(body) <= SMALL_ANSWER_BYTES:
        await _write(send, body)
        return
    with load.sending(COPIES * len(body)):
        for piece in pieces_of(body, SMALL_ANSWER_BYTES):
            await _write(send, piece)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_refused(scope: Scope) -> None:
    is_told = False
    while True:
        await asyncio.sleep(CHECKED_EVERY.total_seconds())
        try:
            await check_again(scope)
            is_told = False
        except (Unauthenticated, Forbidden):
            return
        except TidingsError as error:
            # What knows the credential is out of reach for the moment: asked again, like the rest.
            if not is_told:
                _log.warning("live stream could not be checked", error=named_line(error))
            is_told = True
