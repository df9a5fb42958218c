"""The words of ASGI, as plain as we use them; Litestar's own are unions of typed dictionaries."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
AnyScope = Mapping[str, Any]
"""A scope that is only read: ours or Litestar's."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers = list[tuple[bytes, bytes]]


EVENT_STREAM = (b"content-type", b"text/event-stream")
"""The header of a live stream."""


def pieces_of(body: bytes, size_bytes: int) -> Iterator[bytes]:
    """A body in pieces of at most so many bytes."""
    for start in range(0, len(body), size_bytes):
        yield body[start : start + size_bytes]


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole response; its length is added to the headers."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
