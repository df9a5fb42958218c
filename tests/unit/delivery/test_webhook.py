"""Webhooks are signed, take what time they may, and an answer decides what is done next."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import web

from app.delivery.channel import DestinationDown, NeverSo, NotNow
from app.delivery.guard import Guard
from app.delivery.webhook import WebhookChannel, opened_session, signing
from app.kernel.errors import InvalidInput
from tests.contracts.channel import outgoing
from tests.fixtures.hooks import SECRET, Receiver, receiver

pytestmark = pytest.mark.anyio

TIMEOUT_S = 0.5
PATIENCE_S = 5


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as hook:
        yield hook


async def send(url: str, *allowed: str) -> None:
    guard = Guard(allowed)
    async with opened_session(guard) as session, asyncio.timeout(PATIENCE_S):
        signs = signing(SECRET, field="")
        await WebhookChannel(url, signs, session, guard, timeout_s=TIMEOUT_S).send(outgoing)


async def test_a_message_is_posted_signed_under_its_id(hook: Receiver) -> None:
    await send(hook.url, "127.0.0.1")
    [(webhook_id, data)] = hook.got
    assert webhook_id == f"msg_{outgoing.stable_id}"
    assert data["type"] == "message"
    assert data["data"]["message_id"] == outgoing.message_id
    assert data["data"]["text"] == outgoing.text


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, NeverSo),
        (307, NeverSo),
        (400, NeverSo),
        (401, NeverSo),
        (408, NotNow),
        (410, NeverSo),
        (429, NotNow),
        (500, NotNow),
        (503, NotNow),
    ],
)
async def test_an_answer_decides_what_is_done_next(
    hook: Receiver, status: int, expected: type[Exception]
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    hook.answer = answer
    with pytest.raises(expected) as raised:
        await send(hook.url, "127.0.0.1")
    assert type(raised.value) is expected
    assert len(hook.got) == 1, "redirects are not followed"


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("120", timedelta(minutes=2)),
        ("999999999", timedelta(hours=24)),
        ("9" * 400, None),
        ("soon", None),
        ("-1", None),
    ],
)
async def test_a_destination_says_how_long_to_wait(
    hook: Receiver, header: str, after: timedelta | None
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    hook.answer = answer
    with pytest.raises(NotNow) as raised:
        await send(hook.url, "127.0.0.1")
    assert raised.value.after == after


async def test_an_answer_without_an_end_is_not_read(hook: Receiver) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    hook.answer = answer
    await send(hook.url, "127.0.0.1")


Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def slow_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


async def endless_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
    while not writer.is_closing():
        writer.write(b"b" * 65_536)
        await writer.drain()


async def nothing(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(PATIENCE_S)


async def no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n")


@pytest.mark.parametrize("speak", [slow_headers, endless_header, nothing, no_http])
async def test_a_server_that_speaks_as_it_should_not_is_down_in_time(speak: Speak) -> None:
    speaking: set[asyncio.Task[None]] = set()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        speaking.add(task)
        try:
            await speak(writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(DestinationDown):
        await send(f"http://127.0.0.1:{port}/", "127.0.0.1")
    server.close()
    for task in speaking:
        task.cancel()
    await asyncio.gather(*speaking, return_exceptions=True)


async def test_without_leave_nothing_is_sent_to_the_own_machine(hook: Receiver) -> None:
    port = hook.url.split(":")[2]
    for url in (hook.url, f"https://localhost:{port}", f"https://127.1:{port}"):
        with pytest.raises((NeverSo, DestinationDown)):
            await send(url)
    assert hook.got == []


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(InvalidInput):
        signing(secret, field="TIDINGS_WEBHOOK_SECRET")
