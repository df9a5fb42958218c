"""Who asks for much and does not take it costs little, and not for long."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from litestar import Response, get, post
from litestar.response import Stream
from litestar.types import ASGIApp

from app.http import load, patience, protocol
from app.http.live import LiveEvent, LiveStream
from app.http.load import Load
from tests.fixtures.api import until_async
from tests.unit.http.asking import app_of, ask
from tests.unit.http.serving import DEADLINE_S, serving

pytestmark = pytest.mark.anyio

LARGE = b"x" * (16 * 1024 * 1024)
"""More than the kernel keeps for anybody."""
PATIENCE_S = 0.5


@get("/list", media_type="text/plain")
async def read_list() -> Response[bytes]:
    return Response(LARGE)


@post("/batch", media_type="text/plain")
async def record_batch() -> Response[bytes]:
    return Response(LARGE)


@get("/export")
async def export() -> Stream:
    async def lines() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)  # as one that reads a store
            yield b"x" * 100_000

    return Stream(lines())


@get("/live")
async def listen() -> ASGIApp:
    async def batches() -> AsyncIterator[list[LiveEvent]]:
        while True:
            await asyncio.sleep(0)
            yield [LiveEvent(1, "entry", b"x" * 100_000)]

    return LiveStream(batches(), closing=asyncio.Event())


@asynccontextmanager
async def asked(place: tuple[str, int], target: str) -> AsyncIterator[socket.socket]:
    """A connection over which something was asked for, and nothing was read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.setblocking(False)
        await loop.sock_connect(connection, place)
        await loop.sock_sendall(connection, b"GET %b HTTP/1.1\r\nhost: t\r\n\r\n" % target.encode())
        yield connection


async def until_held(carried: Load, outcome: bool) -> None:
    async def is_so() -> bool:
        return (carried.answer_bytes > 0) is outcome

    await until_async(is_so, seconds=DEADLINE_S)


@pytest.mark.parametrize("target", ["/list", "/export", "/live"])
async def test_who_takes_nothing_is_given_up_and_what_was_held_is_let_go(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(patience, "STALL_PATIENCE_S", PATIENCE_S)
    carried = Load()
    app = app_of(read_list, export, listen, load=carried)
    async with serving(app) as place, asked(place, target):
        await until_held(carried, True)
        assert carried.requests == 1
        await until_held(carried, False)

        async def is_over() -> bool:
            return carried.requests == 0

        await until_async(is_over, seconds=DEADLINE_S)


async def test_so_is_one_who_takes_a_little_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL_PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(patience, "PIECE_PATIENCE_S", 0.001)
    loop, carried = asyncio.get_running_loop(), Load()
    async with serving(app_of(export, load=carried)) as place, asked(place, "/export") as reader:
        await until_held(carried, True)
        with suppress(ConnectionError):
            while await loop.sock_recv(reader, 100_000):
                await asyncio.sleep(PATIENCE_S / 20)
    assert carried.answer_bytes == 0


async def test_who_takes_an_answer_slowly_but_steadily_gets_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "STALL_PATIENCE_S", PATIENCE_S)
    loop = asyncio.get_running_loop()
    async with serving(app_of(read_list)) as place, asked(place, "/list") as reader:
        began_at, came = loop.time(), 0
        while came < len(LARGE):
            data = await loop.sock_recv(reader, 256 * 1024)
            assert data, "it was given up"
            came += len(data)
            await asyncio.sleep(0.02)
        assert loop.time() - began_at > PATIENCE_S, "it was not slow"


async def test_a_large_answer_too_many_is_refused_but_not_one_to_what_has_been_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MAX_HELD_ANSWER_BYTES", len(LARGE) + 1)
    carried = Load()
    app = app_of(read_list, record_batch, load=carried)
    async with serving(app) as place, asked(place, "/list"):
        await until_held(carried, True)
        refused = await ask(app, "GET", "/list")
        assert (refused.status, refused.code) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert (await ask(app, "POST", "/batch")).body == LARGE
        assert (await ask(app, "GET", "/health/live")).status == 200
    await until_held(carried, False)


async def test_a_connection_too_many_is_closed_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
    async with serving(app_of()) as place:
        connections = [await asyncio.open_connection(*place) for _ in range(3)]
        reader, _ = connections[-1]
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"overloaded" in said
        for reader, writer in connections[:2]:
            writer.write(b"GET /health/live HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            writer.close()
        connections[-1][1].close()
