"""Live streams: nothing is lost on the way to a client, and every stream ends when it should."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import uvicorn
from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp
from structlog.testing import capture_logs

from app.http import live
from app.http.access import Unauthenticated, requires
from app.http.asgi import AnyScope, Message
from app.http.context import open_context
from app.http.limits import Allowance
from app.http.live import LiveEvent, LiveStream, Subscription
from app.http.server import Server
from app.kernel.errors import StoreUnavailable, TidingsError
from app.kernel.principal import Principal
from tests.fixtures.access import ANYBODY
from tests.unit.http.asking import Only, app_of, ask, scope_of

pytestmark = pytest.mark.anyio

SOON_SECONDS = 10
"""A generous deadline for what should come at once."""


def event(position: int, data: bytes = b"{}") -> LiveEvent:
    return LiveEvent(position, "entry", data)


class Client:
    """One who listens: keeps what is sent, and can go."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.gone = asyncio.Event()
        self._came = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        self._came.set()

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages).decode()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.text.splitlines() if line.startswith("id: ")]

    async def until(self, text: str) -> None:
        """Wait until the text has come."""
        async with asyncio.timeout(SOON_SECONDS):
            while text not in self.text:
                self._came.clear()
                await self._came.wait()


async def batches_of(*batches: Sequence[LiveEvent]) -> AsyncIterator[Sequence[LiveEvent]]:
    for batch in batches:
        yield batch


def listening(stream: LiveStream, client: Client) -> asyncio.Task[None]:
    scope = scope_of()
    open_context(scope)
    return asyncio.create_task(stream(scope, client.receive, client.send))


async def ended(task: "asyncio.Future[None]") -> None:
    await asyncio.wait_for(task, SOON_SECONDS)


async def test_events_are_sent_as_they_come_and_the_stream_ends_with_them() -> None:
    client = Client()
    batches = batches_of([event(3, b'{"a": 1}'), event(5)], [], [event(8)])

    await ended(listening(LiveStream(batches, closing=asyncio.Event()), client))

    assert client.text == (
        "retry: 1000\n\n"
        'id: 3\nevent: entry\ndata: {"a": 1}\n\n'
        "id: 5\nevent: entry\ndata: {}\n\n"
        "id: 8\nevent: entry\ndata: {}\n\n"
    )
    assert [message.get("more_body") for message in client.messages[1:]][-1] is False
    headers = dict(client.messages[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream"
    assert headers[b"x-accel-buffering"] == b"no"


async def test_lines_in_the_data_do_not_break_the_event() -> None:
    client = Client()

    await ended(
        listening(
            LiveStream(batches_of([event(1, b"a\nb\r\nc\rid: 9")]), closing=asyncio.Event()), client
        )
    )

    assert "data: a\ndata: b\ndata: c\ndata: id: 9\n\n" in client.text


async def test_silence_is_filled_with_heartbeats() -> None:
    client = Client()
    subscription = Subscription[LiveEvent]()
    stream = LiveStream(subscription, closing=asyncio.Event(), heartbeat=timedelta(milliseconds=10))
    task = listening(stream, client)

    await client.until(": still here\n\n: still here\n\n")
    subscription.offer([event(1)])
    await client.until("id: 1")
    client.gone.set()
    await ended(task)

    assert client.ids == [1]


async def test_a_stream_ends_when_its_client_goes() -> None:
    client = Client()
    is_closed = False

    async def batches() -> AsyncIterator[Sequence[LiveEvent]]:
        nonlocal is_closed
        try:
            yield [event(1)]
            await asyncio.Event().wait()
        finally:
            is_closed = True

    task = listening(LiveStream(batches(), closing=asyncio.Event()), client)
    await client.until("id: 1")
    client.gone.set()
    await ended(task)

    assert is_closed, "its source was told"


async def test_a_stream_ends_when_the_server_does() -> None:
    client, closing = Client(), asyncio.Event()
    task = listening(LiveStream(Subscription[LiveEvent](), closing=closing), client)
    await client.until("retry")

    closing.set()
    await ended(task)

    assert client.messages[-1]["more_body"] is False


class Doorkeeper:
    """Lets in whoever may do what is said at the moment, and says how often it was asked."""

    def __init__(self) -> None:
        self.says: Principal | TidingsError = ANYBODY
        self.asked = 0

    def believed(self, _scope: AnyScope) -> None:
        return None

    async def admit(self, _scope: AnyScope) -> Principal:
        self.asked += 1
        if isinstance(self.says, TidingsError):
            raise self.says
        return self.says

    async def until_asked(self, times: int) -> None:
        """Wait until it has been asked so often again."""
        already = self.asked
        async with asyncio.timeout(SOON_SECONDS):
            while self.asked < already + times:
                await asyncio.sleep(0.001)


@get("/live/{name:str}", media_type="text/event-stream", opt=requires("timeline:read", own="name"))
async def listen_for_ever(name: FromPath[str]) -> ASGIApp:
    assert name
    return LiveStream(Subscription(), closing=asyncio.Event())


@pytest.fixture
def often_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECKED_EVERY", timedelta(milliseconds=1))


@pytest.mark.usefixtures("often_checked")
@pytest.mark.parametrize(
    "says",
    [
        Unauthenticated(),
        Principal("shop", "key:x", frozenset({"events:read"})),
        Principal("shop", "key:x", frozenset({"timeline:read"}), customer_id="boris"),
    ],
    ids=["revoked", "without the scope", "another customer's"],
)
async def test_a_stream_ends_when_its_client_may_not_listen_any_more(
    says: Principal | TidingsError,
) -> None:
    client, door = Client(), Doorkeeper()
    app = app_of(listen_for_ever, gate=door)
    task = asyncio.ensure_future(app(scope_of(target="/live/anna"), client.receive, client.send))
    await client.until("retry")
    await door.until_asked(3)
    assert not task.done()

    door.says = says
    await ended(task)

    assert client.messages[0]["status"] == 200
    assert client.messages[-1]["more_body"] is False


@pytest.mark.usefixtures("often_checked")
async def test_a_stream_goes_on_while_nobody_can_say_whether_its_client_may_listen() -> None:
    client, door = Client(), Doorkeeper()
    app = app_of(listen_for_ever, gate=door)
    task = asyncio.ensure_future(app(scope_of(target="/live/anna"), client.receive, client.send))
    await client.until("retry")

    with capture_logs() as logs:
        door.says = StoreUnavailable()
        await door.until_asked(3)
        door.says = ANYBODY
        await door.until_asked(3)

    assert not task.done()
    assert [log["log_level"] for log in logs] == ["warning"], "once, however long it lasts"
    client.gone.set()
    await ended(task)


@pytest.mark.usefixtures("often_checked")
async def test_checking_a_stream_takes_nothing_of_its_owners_limit() -> None:
    client, door = Client(), Doorkeeper()
    allowance = Allowance(1, 0)
    app = app_of(listen_for_ever, gate=door, limits=Only(allowance))
    task = asyncio.ensure_future(app(scope_of(target="/live/anna"), client.receive, client.send))
    await client.until("retry")

    with capture_logs() as logs:
        await door.until_asked(5)

    assert allowance.requests is not None
    assert allowance.requests.asked == 1
    assert logs == []
    client.gone.set()
    await ended(task)


@pytest.mark.usefixtures("often_checked")
async def test_a_stream_for_everybody_is_not_checked() -> None:
    client, door = Client(), Doorkeeper()

    @get("/open", media_type="text/event-stream")
    async def listen_openly() -> ASGIApp:
        return LiveStream(Subscription(), closing=asyncio.Event())

    app = app_of(listen_openly, gate=door)
    task = asyncio.ensure_future(app(scope_of(target="/open"), client.receive, client.send))
    await client.until("retry")
    await asyncio.sleep(0.02)
    client.gone.set()
    await ended(task)
    assert door.asked == 0


async def test_a_stream_ends_when_its_client_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STALL", timedelta(milliseconds=20))
    client = Client()
    subscription = Subscription[LiveEvent]()

    async def send(message: Message) -> None:
        await client.send(message)
        if "id: 1" in client.text:
            await asyncio.Event().wait()

    stream = LiveStream(subscription, closing=asyncio.Event())
    scope = scope_of()
    open_context(scope)
    task = asyncio.create_task(stream(scope, client.receive, send))
    subscription.offer([event(1)])

    with capture_logs() as logs:
        await ended(task)

    assert logs == []


async def test_a_failing_source_ends_the_stream_and_is_logged() -> None:
    client = Client()

    async def batches() -> AsyncIterator[Sequence[LiveEvent]]:
        yield [event(1)]
        raise RuntimeError("lost the store")

    with capture_logs() as logs:
        await ended(listening(LiveStream(batches(), closing=asyncio.Event()), client))

    assert client.ids == [1]
    assert client.messages[-1]["more_body"] is False
    assert "lost the store" in str(logs[0]["exc_info"])


async def test_a_client_that_falls_behind_is_sent_away_and_resumes_without_gap_or_repeat() -> None:
    log = [event(position) for position in range(1, 41)]
    client = Client()
    subscriptions: list[Subscription[LiveEvent]] = []

    async def entries(after: int) -> AsyncIterator[Sequence[LiveEvent]]:
        """What has been, then what comes: as a route does it."""
        subscription = Subscription[LiveEvent](max_waiting_events=3)
        subscriptions.append(subscription)
        yield [each for each in log[:position] if each.id > after]
        async for batch in subscription:
            yield batch

    position = 10
    task = listening(LiveStream(entries(0), closing=asyncio.Event()), client)
    await client.until("id: 10")
    while not subscriptions[-1].is_closed and position < len(log):
        subscriptions[-1].offer([log[position]])  # faster than the client is served
        position += 1
    await ended(task)
    assert subscriptions[-1].is_closed
    assert client.ids == list(range(1, client.ids[-1] + 1)), "no gap up to where it ended"

    position = len(log)
    client.gone.clear()
    task = listening(LiveStream(entries(client.ids[-1]), closing=asyncio.Event()), client)
    await client.until("id: 40")
    client.gone.set()
    await ended(task)
    assert client.ids == list(range(1, 41))


@get("/live", media_type="text/event-stream")
async def listen() -> ASGIApp:
    return LiveStream(batches_of([event(1)]), closing=asyncio.Event())


async def test_a_route_may_answer_with_a_live_stream() -> None:
    answer = await ask(app_of(listen), "GET", "/live")

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-request-id"]


async def test_a_head_request_for_a_live_stream_ends() -> None:
    @get("/live", media_type="text/event-stream")
    async def listen_for_ever() -> ASGIApp:
        return LiveStream(Subscription[LiveEvent](), closing=asyncio.Event())

    answer = await asyncio.wait_for(ask(app_of(listen_for_ever), "HEAD", "/live"), SOON_SECONDS)

    assert (answer.status, answer.body) == (200, b"")


async def test_the_server_stops_although_clients_listen() -> None:
    closing = asyncio.Event()
    subscription = Subscription[LiveEvent]()

    @get("/live", media_type="text/event-stream")
    async def listen_for_ever() -> ASGIApp:
        return LiveStream(subscription, closing=closing)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            app_of(listen_for_ever), lifespan="off", ws="none", log_config=None, loop="asyncio"
        )
        server = Server(config, closing=closing)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        subscription.offer([event(1, json.dumps("é").encode())])
        await asyncio.wait_for(reader.readuntil(b"id: 1\n"), SOON_SECONDS)

        server.should_exit = True
        rest = await asyncio.wait_for(reader.read(), SOON_SECONDS)
        await asyncio.wait_for(serving, SOON_SECONDS)
        writer.close()
        await writer.wait_closed()

    assert rest.endswith(b"0\r\n\r\n"), "the answer was ended, not cut off"
