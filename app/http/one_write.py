"""A response in one piece: its head goes out together with its body, not before it."""

import asyncio
from typing import Any

_ANNOUNCED = b"\r\ncontent-length: "
"""Without it the body comes in chunks, perhaps long after the head: a live stream."""


class OneWrite:
    """A transport that holds a head back until the first part of its body.

    Sent apart they are two system calls at each end, and two wakeups of whoever reads: a third of
    what a small request costs the server.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take the transport that it stands for."""
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send, or hold back what begins a response with a body of a known length."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        elif data.startswith(b"HTTP/1.1 ") and _ANNOUNCED in data:
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send what is held back: a response is complete, perhaps without a body."""
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
