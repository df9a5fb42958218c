"""What is too much is refused before it is read; what is done is not counted any more."""

import asyncio
from typing import Any

import pytest
from litestar import Request, get, post
from structlog.testing import capture_logs

from app.http import context, load
from app.http.asgi import Message
from app.http.load import Load, Overloaded, TooManyStreams
from tests.unit.http.asking import app_of, ask, scope_of
from tests.unit.http.asking import post as send

pytestmark = pytest.mark.anyio


@post("/v1/slow")
async def read_body(request: Request[Any, Any, Any]) -> None:
    await request.body()


def hold_at_most(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    monkeypatch.setattr(context, "MAX_HELD_BODY_BYTES", size_bytes)


async def test_a_body_beyond_what_may_be_held_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold_at_most(monkeypatch, 10)
    app = app_of(read_body)
    read: list[str] = []
    answered: list[Message] = []

    async def receive() -> Message:
        read.append("some of it")
        return {"type": "http.request", "body": b"x" * 11}

    async def take(message: Message) -> None:
        answered.append(message)

    headers = {"content_type": "application/json", "content_length": "11"}
    await app(scope_of("POST", "/v1/slow", **headers), receive, take)
    assert answered[0]["status"] == 503
    assert not read


async def test_so_is_one_that_does_not_say_how_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_at_most(monkeypatch, 10)
    answer = await send(app_of(read_body), "/v1/slow", [b"x" * 6, b"y" * 6])
    assert (answer.status, answer.code) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"


async def test_a_body_is_held_until_its_request_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold_at_most(monkeypatch, 10)
    carried = Load()
    app = app_of(read_body, load=carried)
    for body in ([b"x" * 9], [b"x" * 5, b"x" * 4], [b"x" * 9]):
        length = {"content_length": "9"} if len(body) == 1 else {}
        assert (await send(app, "/v1/slow", body, **length)).status == 201
    assert (carried.requests, carried.body_bytes) == (0, 0)


async def test_too_many_requests_at_once_are_refused_but_health_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MAX_REQUESTS", 2)
    free = asyncio.Event()

    @get("/v1/wait")
    async def wait() -> None:
        await free.wait()

    app = app_of(wait)
    waiting = [asyncio.create_task(ask(app, "GET", "/v1/wait")) for _ in range(2)]
    await asyncio.sleep(0)
    assert (await ask(app, "GET", "/v1/wait")).code == "overloaded"
    assert (await ask(app, "GET", "/health/live")).status == 200
    free.set()
    assert [(await task).status for task in waiting] == [200, 200]
    assert (await ask(app, "GET", "/v1/wait")).status == 200


async def test_while_too_much_waits_to_be_recorded_only_reads_are_answered() -> None:
    @get("/v1/slow")
    async def look() -> str:
        return "here"

    app = app_of(read_body, look, load=Load(is_backed_up=lambda: True))

    async def receive() -> Message:
        raise AssertionError("it was read")

    answered: list[Message] = []

    async def take(message: Message) -> None:
        answered.append(message)

    with capture_logs() as logs:
        await app(scope_of("POST", "/v1/slow"), receive, take)
    assert answered[0]["status"] == 503
    assert {log["log_level"] for log in logs} <= {"debug"}
    assert (await ask(app, "GET", "/v1/slow")).status == 200


def test_an_owner_has_so_many_streams_and_everybody_together_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MAX_STREAMS", 2)
    carried = Load(max_streams_of_an_owner=1)
    with carried.streaming("shop"):
        with pytest.raises(TooManyStreams), carried.streaming("shop"):
            pass
        with (
            carried.streaming("rides"),
            pytest.raises(Overloaded),
            carried.streaming("billing"),
        ):
            pass
    with carried.streaming("shop"):
        assert carried.open_streams == 1
    assert carried.open_streams == 0
