"""Responses go out in one piece where they can, and never wait where they must not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from app.http.asgi import App, Receive, Scope, Send, respond
from app.http.one_write import OneWrite
from tests.unit.http.serving import serving

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Recording(asyncio.Transport):
    """Keeps what it is given to send, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Sequence[bytes | bytearray | memoryview]) -> None:  # type: ignore[override] # fewer than the base takes
        self.sent.append(b"".join(map(bytes, list_of_data)))

    def is_closing(self) -> bool:
        return b"closed" in self.sent

    def close(self) -> None:
        self.sent.append(b"closed")


def test_a_head_goes_out_with_its_body() -> None:
    sent = (transport := Recording()).sent
    one = OneWrite(transport)
    one.write(HEAD)
    assert sent == []
    one.write(b"body")
    assert sent == [HEAD + b"body"]


def test_what_follows_the_first_part_of_a_body_is_not_held_back() -> None:
    sent = (transport := Recording()).sent
    one = OneWrite(transport)
    for part in (HEAD, b"bo", b"dy"):
        one.write(part)
    assert sent == [HEAD + b"bo", b"dy"]


@pytest.mark.parametrize("head", [CHUNKED_HEAD, b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_whose_body_may_take_its_time_goes_out_at_once(head: bytes) -> None:
    transport = Recording()
    OneWrite(transport).write(head)
    assert transport.sent == [head]


def test_a_head_without_a_body_goes_out_when_the_response_is_complete() -> None:
    sent = (transport := Recording()).sent
    one = OneWrite(transport)
    one.write(HEAD)
    one.flush()
    one.flush()
    assert sent == [HEAD]


def test_a_connection_that_is_closed_has_sent_its_head() -> None:
    sent = (transport := Recording()).sent
    one = OneWrite(transport)
    one.write(HEAD)
    one.close()
    assert sent == [HEAD, b"closed"]
    assert one.is_closing()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """``/whole`` answers at once; ``/stream`` sends nothing of its body before it is read."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
    elif scope["path"] == "/whole":
        await respond(send, 200, [], b"whole")
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass


async def test_heads_and_bodies_arrive_on_a_connection_that_is_kept() -> None:
    async with connected(app) as (reader, writer):
        for method, body in (("GET", b"whole"), ("HEAD", b""), ("GET", b"whole"), ("HEAD", b"")):
            writer.write(f"{method} /whole HTTP/1.1\r\nhost: test\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length: 5\r\n" in head
            assert await reader.readexactly(len(body)) == body


async def test_the_head_of_a_stream_arrives_before_there_is_anything_to_stream() -> None:
    async with connected(app) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nhost: test\r\n\r\n")
        assert b"transfer-encoding: chunked\r\n" in await reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def connected(
    served: App,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the app, served as ``tidings serve`` serves it."""
    async with serving(served) as place:
        reader, writer = await asyncio.open_connection(*place)
        yield reader, writer
        writer.close()
        await writer.wait_closed()
