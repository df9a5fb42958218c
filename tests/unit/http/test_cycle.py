"""Responses go out in one piece where they can, and never wait where they must not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from app.http.asgi import App, Receive, Scope, Send, respond
from app.http.cycle import Cycle, News
from tests.unit.http.serving import serving

pytestmark = pytest.mark.anyio


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers whole, in parts, or with nothing of the body before it is read; see the paths."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
    elif scope["path"] == "/whole":
        await respond(send, 200, [(b"x-own", b"1")], b"whole")
    elif scope["path"] == "/parts":
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"wh", "more_body": True})
        await send({"type": "http.response.body", "body": b"ole"})
    elif scope["path"] == "/split":
        await respond(send, 200, [(b"x-own", b"1\r\nx-other: 2")], b"whole")
    elif scope["path"] == "/broken":
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise ValueError
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass


async def test_heads_and_bodies_arrive_on_a_connection_that_is_kept() -> None:
    async with connected(app) as (reader, writer):
        for path in ("/whole", "/parts", "/whole", "/parts"):
            for method, body in (("GET", b"whole"), ("HEAD", b"")):
                writer.write(f"{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                assert b"\r\ncontent-length: 5\r\n" in head
                assert head.count(b"\r\ncache-control: no-store\r\n") == 1
                assert await reader.readexactly(len(body)) == body


async def test_an_answer_that_fails_before_anything_of_it_is_sent_is_an_error() -> None:
    async with connected(app) as (reader, writer):
        writer.write(b"GET /broken HTTP/1.1\r\nhost: test\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert answer.count(b"\r\nconnection: close\r\n") == 1


async def test_a_header_that_would_split_an_answer_is_never_sent() -> None:
    async with connected(app) as (reader, writer):
        writer.write(b"GET /split HTTP/1.1\r\nhost: test\r\n\r\n")
        assert await reader.read() == b""


async def test_the_last_answer_of_a_connection_says_so() -> None:
    async with connected(app) as (reader, writer):
        writer.write(b"GET /whole HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        assert b"\r\nconnection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\nwhole")


async def test_a_connection_over_which_nothing_is_asked_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.cli.serve.KEEP_ALIVE_S", 0.2)
    async with connected(app) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /whole HTTP/1.1\r\nhost: test\r\n\r\n")
            await reader.readuntil(b"whole")
            await asyncio.sleep(0.12)
        assert await reader.read() == b""


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


class Gone:
    """A transport whose client has gone, which nobody has been told yet."""

    def is_closing(self) -> bool:
        return True

    def write(self, _data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    def close(self) -> None:
        pass


async def test_an_answer_to_who_has_just_gone_is_over_without_a_word() -> None:
    ended: list[bool] = []
    transport: Any = Gone()
    logger = logging.getLogger(__name__)
    cycle = Cycle(
        scope={},  # type: ignore[typeddict-item] # nothing of it is looked at
        transport=transport,
        flow=FlowControl(transport),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[],
        message_event=News(),  # type: ignore[arg-type] # as the protocol has it
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: ended.append(True),
    )
    cycle.answer(200, [], b"", b"{}")
    assert ended == [True]
    assert cycle.response_complete
