"""One request and its answer, as uvicorn has them; but an answer that is whole goes out whole.

Sent apart, a head and a body are two system calls at each end, and two wakeups of whoever reads: a
third of what a small request costs the server. What stands in every head is put in as bytes: as
headers on their way through the server it would cost more than it takes to read a request.
"""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.http.asgi import AnyScope, Headers, Message
from app.http.edge import SECURITY_HEADERS

TAKES_LINES = "tidings.lines"
"""The ASGI extension of a server that takes lines for the head of an answer with its start."""

_LINES = "lines"
_LENGTH = b"content-length"
END_OF_HEADS = b"".join(b"%b: %b\r\n" % header for header in SECURITY_HEADERS) + b"\r\n"
"""Of every answer."""


class _Nothing:
    """What there is to wait for when all is done."""

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value] # a generator of nothing would cost more


_DONE = _Nothing()


class News:
    """What an `asyncio.Event` is, for one that waits; at a third of its cost."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        """Nothing is new."""
        self._is_set = False
        self._waiting: asyncio.Future[None] | None = None

    def set(self) -> None:
        """There is something new."""
        self._is_set = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def clear(self) -> None:
        """It was taken in."""
        self._is_set = False

    async def wait(self) -> None:
        """Come back as soon as there is."""
        if not self._is_set:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting


class Cycle(RequestResponseCycle):
    """Holds the start of an answer of a known length back until its body begins."""

    _start: Message | None = None

    def send(self, message: Any) -> Awaitable[None]:  # type: ignore[override] # a coroutine costs more
        """See ASGI."""
        if message["type"] == "http.response.start" and not self.response_started:
            if not any(name == _LENGTH for name, _ in message["headers"]):
                # The body comes in chunks, perhaps long after the head: a live stream.
                return super().send(cast(Any, _with_headers(message)))
            self._start = message  # in place of one that nothing followed, but an error
            return _DONE
        start, self._start = self._start, None
        if start is None:
            return super().send(message)
        if self.flow.write_paused or not self._send_whole(start, message):
            return self._send_apart(start, message)
        return _DONE

    def _send_whole(self, start: Message, message: Message) -> bool:
        """Send an answer when this is all of it; else False."""
        headers: Headers = [*self.default_headers, *start["headers"]]
        body: bytes = message.get("body", b"")
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        is_whole = (
            not message.get("more_body")
            and (_LENGTH, b"%d" % len(body)) in headers
            and len(lines.splitlines()) == len(headers)  # none pretends to be several
            and b"connection: " not in lines
            and message["type"] == "http.response.body"
        )
        if is_whole and not self.disconnected:
            self._write_whole(start["status"], lines, start.get(_LINES, b""), body)
        return is_whole

    def answer(self, status: int, headers: Headers, lines: bytes, body: bytes) -> None:
        """Send a whole answer, without messages: headers of ours, and more whole lines.

        See `app.http.at_once.WholeRequest`.
        """
        if not self.disconnected:
            length = (_LENGTH, b"%d" % len(body))
            headers = [*self.default_headers, *headers, length]
            self._write_whole(
                status, b"".join([b"%b: %b\r\n" % header for header in headers]), lines, body
            )

    def _write_whole(self, status: int, headers: bytes, lines: bytes, body: bytes) -> None:
        self.response_started = self.response_complete = True
        close = b"" if self.keep_alive else b"connection: close\r\n"
        if not self.transport.is_closing():  # as it is when the client has gone just now
            self.transport.write(
                b"".join((STATUS_LINE[status], headers, lines, close, END_OF_HEADS, body))
            )
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def _send_apart(self, start: Message, message: Message) -> None:
        await super().send(cast(Any, _with_headers(start)))
        await super().send(cast(Any, message))


def add_lines(scope: AnyScope, start: Message, lines: bytes) -> None:
    """Add whole lines to the head of the answer that a message begins.

    Where another server than ours sends it, they become headers as any.
    """
    if TAKES_LINES in scope.get("extensions", ()):
        start[_LINES] = lines
    else:
        start["headers"] = [*start.get("headers", ()), *_headers_of(lines)]


def _with_headers(start: Message) -> Message:
    """The start of an answer with all that its head has, as headers."""
    added = [*_headers_of(start.get(_LINES, b"")), *SECURITY_HEADERS]
    return {**start, "headers": [*start["headers"], *added]}


def _headers_of(lines: bytes) -> Headers:
    return [
        (name, value) for name, _, value in (line.partition(b": ") for line in lines.splitlines())
    ]
