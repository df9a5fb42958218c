"""A response in one piece: its head goes out together with its body, and with what all carry."""

import asyncio
from typing import Any

from app.http.asgi import Message, Scope

HEAD = "tidings.head"
"""Where the scope of a request has the `OneWrite` that its answer goes through."""

_ANNOUNCED = b"\r\ncontent-length: "
"""Without it the body comes in chunks, perhaps long after the head: a live stream."""
_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")
"""How the head of an answer begins; ``100 Continue`` is none."""


class OneWrite:
    """A transport that holds a head back until the first part of its body.

    Sent apart they are two system calls at each end, and two wakeups of whoever reads: a third of
    what a small request costs the server. What stands in every head is put in here, as bytes: as
    headers on their way through the server it would cost more than it takes to read a request.
    """

    __slots__ = ("_end_of_heads", "_head", "_is_begun", "_transport", "is_closing", "lines")

    def __init__(self, transport: asyncio.Transport, end_of_heads: bytes = b"\r\n") -> None:
        """Take the transport that it stands for, and the lines that end every head."""
        self._transport = transport
        self._end_of_heads = end_of_heads
        self._head = b""
        self._is_begun = False
        self.is_closing = transport.is_closing
        self.lines = b""
        """That the next head has besides."""

    def write(self, data: bytes) -> None:
        """Send, or hold back what begins a response with a body of a known length."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        elif self._is_begun or not data.startswith(_FINAL):
            self._transport.write(data)
        else:
            self._is_begun = True
            self._begin(data)

    def _begin(self, head: bytes) -> None:
        head = head[:-2] + self.lines + self._end_of_heads
        if _ANNOUNCED in head:
            self._head = head
        else:
            self._transport.write(head)

    def flush(self) -> None:
        """Send what is held back: a response is complete, perhaps without a body."""
        self._is_begun = False
        self.lines = b""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what is held back, and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)


def add_lines(scope: Scope, message: Message, lines: bytes) -> None:
    """Add whole lines to the head of the answer that a message begins.

    Where another server than ours sends it, they become headers as any.
    """
    one_write: OneWrite | None = scope.get(HEAD)
    if one_write is not None:
        one_write.lines = lines
        return
    added = (line.split(b": ", 1) for line in lines.splitlines())
    message["headers"] = [*message.get("headers", ()), *map(tuple, added)]
