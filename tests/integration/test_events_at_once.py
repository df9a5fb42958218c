"""The usual event is answered without a task, and nobody can tell: both ways answer alike."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.bootstrap.api import opened_api
from app.eventstore.database import Database
from app.http.asgi import App, Receive, Scope, Send
from app.http.at_once import Reply, WholeRequest
from app.security import authentication
from app.settings import read_settings
from tests.fixtures.access import AUTHORIZATION, accept
from tests.integration.conftest import on_one_server
from tests.unit.http.asking import ask, post
from tests.unit.http.serving import serving

pytestmark = [pytest.mark.anyio, on_one_server]

SECRET = "s" * 32
DEADLINE_S = 20
ANN: dict[str, Any] = {"type": "Seen", "customer_id": "ann", "data": {"n": 1}}
MASKED = [rb"\r\ndate: [^\r]*", rb";r=\d+", rb'"position":\d+', rb'"event_id":"[^"]*"']
MASKED += [rb'"version":\d+', rb"activity-(?:ann|new)-[ab]", rb"content-length: \d+"]


class BothWays:
    """The API, which notes what it answered at once; or answers nothing so."""

    def __init__(self, app: Any) -> None:
        self.front = app
        self.replies: list[Reply | None] = []
        self.is_plain = True

    def begin(self, request: WholeRequest) -> Reply | None:
        reply = self.front.begin(request) if self.is_plain else None
        self.replies.append(reply)
        return reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.front(scope, receive, send)

    @property
    def under_way(self) -> tuple[int, int]:
        """Requests, and bytes of their bodies."""
        return self.front._load.requests, self.front._load.body_bytes

    async def until_begun(self) -> None:
        """Wait for a request that is answered at once, as soon as the store is free."""
        async with asyncio.timeout(DEADLINE_S):
            while not any(reply and not reply.done() for reply in self.replies):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(database: Database, tmp_path: Path, **settings: Any) -> AsyncIterator[BothWays]:
    environment = {"TIDINGS_SECRET": SECRET, "TIDINGS_DATA_DIR": str(tmp_path)}
    accept(database, SECRET.encode())
    asked = read_settings(environment, **settings)
    async with opened_api(asked, database, asyncio.Event()) as app:
        assert (await posted(app, "/v1/events", [ANN])).status == 200  # so the key is believed
        yield BothWays(app)


@pytest.fixture
async def api(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BothWays]:
    monkeypatch.setattr(authentication, "_BELIEVED_FOR_S", 3_600)
    async with opened(database, tmp_path, allowed_hosts="here") as app:
        yield app


async def posted(app: App, target: str, body: Any) -> Any:
    sent = json.dumps(body).encode()
    return await post(app, target, sent, authorization=AUTHORIZATION, host="here")


def request(body: bytes | dict[str, Any] = b"", *lines: str, version: str = "1.1") -> bytes:
    """To record an event; a line replaces the usual one of its name; an empty one removes it."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = ["Host: here", f"Authorization: {AUTHORIZATION}", "Content-Type: application/json"]
    usual += [f"Content-Length: {len(sent)}"]
    names = [line.partition(":")[0] for line in lines]
    head = [line for line in usual if line.partition(":")[0] not in names]
    head += [line for line in lines if not line.endswith(":")]
    text = "\r\n".join([f"POST /v1/events HTTP/{version}", *head, "", ""])
    return text.encode() + sent


def event(**fields: Any) -> dict[str, Any]:
    return ANN | fields


EMAIL = {"email": "ann@example.com"}
KEYED = event(id="1-@", customer_id="ann-@")
DEEP: Any = json.loads("[" * 70 + "]" * 70)

USUAL: dict[str, bytes] = {
    "an event": request(ANN),
    "a visitor's": request({"type": "Seen", "anonymous_id": "v", "data": {}}),
    "one with a time": request(event(occurred_at="2025-03-14T09:30:00+01:00")),
    "one with an id": request(KEYED),
    "the same again": request(KEYED),
    "another under its id": request(KEYED | {"data": {}}),
    "one with a key": request(event(customer_id="ann-@"), "Idempotency-Key: @"),
    "one in a chain": request(ANN, "X-Correlation-Id: c-1", "X-Causation-Id: c-2"),
    "spaces around it": request(b"\n " + json.dumps(ANN).encode() + b" \n"),
    "an erased customer's": request(event(customer_id="eve")),
    "what is sealed": request(event(data=EMAIL)),
    "HTTP/1.0": request(ANN, version="1.0"),
    "chunks": request(ANN, "Transfer-Encoding: chunked", "Content-Length:").replace(
        b"\r\n\r\n", b"\r\n\r\n%x\r\n" % len(json.dumps(ANN))
    )
    + b"\r\n0\r\n\r\n",
}

ODD: dict[str, bytes] = {
    "a batch": request(json.dumps([ANN, {}]).encode()),
    "nothing": request(b""),
    "no JSON": request(b'{"type": '),
    "NUL": request(event(data={"n": "\0"})),
    "half a pair": request(event(data={"n": "\ud800"})),
    "depth": request(event(data={"n": DEEP})),
    "a large number": request(b'{"type":"Seen","customer_id":"ann","data":{"n":1e400}}'),
    "a large event": request(event(data={"n": "x" * 65_536})),
    "an unknown field": request(event(kind="order")),
    "nobody's": request({"type": "Seen", "data": {}}),
    "a bad customer": request(event(customer_id="a/b")),
    "a built-in type": request(event(type="order.placed")),
    "a reserved name": request(event(data={"$tidings": 1})),
    "a time ahead": request(event(occurred_at="2999-01-01T00:00:00Z")),
    "a bad key": request(ANN, f"Idempotency-Key: {'k' * 201}"),
    "a bad cause": request(ANN, f"X-Causation-Id: {'c' * 201}"),
    "a misfit": request(event(type="Measured", data={"n": "x"})),
    "what is sealed first": request(event(data=EMAIL, customer_id="new-@")),
    "another media type": request(ANN, "Content-Type: text/plain"),
    "no media type": request(ANN, "Content-Type:"),
    "a coded body": request(ANN, "Content-Encoding: gzip"),
    "no credential": request(ANN, "Authorization:"),
    "a bad credential": request(ANN, "Authorization: Bearer canary"),
    "a scheme of its own": request(ANN, "Authorization: Digest canary"),
    "another host": request(ANN, "Host: there"),
    "two hosts": request(ANN, "Host: here", "Host: here"),
    "a query": request(ANN).replace(b"/v1/events ", b"/v1/events?n=1 "),
    "a path in code": request(ANN).replace(b"/v1/events ", b"/v1/event%73 "),
    "a wait for a word": request(ANN, "Expect: 100-continue"),
}


async def sent(place: tuple[str, int], message: bytes) -> bytes:
    """All that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection(*place)
    writer.write(message)
    answer = await reader.read()
    writer.close()
    return answer


async def told(place: tuple[str, int], message: bytes, way: str) -> bytes:
    """The same on a request's own connection, without what differs between any two requests."""
    line, _, rest = message.replace(b"@", way.encode()).partition(b"\r\n")
    answer = await sent(place, line + b"\r\nConnection: close\r\nX-Request-Id: r-1\r\n" + rest)
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head
    return re.sub(b"|".join(MASKED), b"", answer)


async def test_both_ways_answer_alike_and_record_alike(api: BothWays, database: Database) -> None:
    declared = {"schema": {"properties": {"n": {"type": "number"}}}}
    body = json.dumps(declared).encode()
    json_type = {"content_type": "application/json", "host": "here"}
    path = "/v1/event-types/Measured"
    await ask(api, "PUT", path, body, authorization=AUTHORIZATION, **json_type)
    await posted(api, "/v1/customers/eve/register", {})
    assert (await posted(api, "/v1/customers/eve/erase", {})).status < 300
    async with asyncio.timeout(DEADLINE_S):
        while (
            await posted(api, "/v1/events", event(type="Measured", data={"n": ""}))
        ).status < 202:
            await asyncio.sleep(0.01)
    assert (await posted(api, "/v1/events", event(data=EMAIL))).status == 201  # so there is a key
    before = counted(await metrics(api))
    took: dict[str, bool] = {}
    answers: dict[str, list[bytes]] = {}
    start = last_position(database)
    async with serving(api) as place:
        for name, message in (USUAL | ODD).items():
            answers[name] = []
            for way, api.is_plain in (("a", True), ("b", False)):
                api.replies.clear()
                answers[name].append(await told(place, message, way))
                took[name] = took.get(name, False) or any(api.replies)

    assert {name: pair[0] for name, pair in answers.items()} == {
        name: pair[1] for name, pair in answers.items()
    }
    assert all(pair[0].startswith(b"HTTP/1.1 ") for pair in answers.values())
    assert {name for name, was_at_once in took.items() if was_at_once} == set(USUAL)
    events = recorded(database, start)
    assert len(events) > len(USUAL)
    assert events[::2] == events[1::2]
    after = counted(await metrics(api))
    assert sum(after.values()) - sum(before.values()) == 2 * len(USUAL | ODD)
    assert all((after[name] - before.get(name, 0)) % 2 == 0 for name in after)
    assert api.under_way == (0, 0)


async def metrics(api: BothWays) -> str:
    return (await ask(api, "GET", "/metrics", host="here")).body.decode()


def counted(exposition: str) -> dict[str, float]:
    found = re.findall(
        r'^tidings_http_requests_total({.*method="POST".*}) (\S+)$', exposition, re.M
    )
    return {labels: float(count) for labels, count in found}


def last_position(database: Database) -> int:
    with psycopg.connect(database.conninfo()) as connection:
        (position,) = connection.execute("SELECT max(position) FROM events").fetchone() or (0,)
    return int(position)


def recorded(database: Database, after: int) -> list[Any]:
    """Senders' events, without what tells the two ways apart; nothing is recorded plain."""
    with psycopg.connect(database.conninfo()) as connection:
        rows = connection.execute(
            "SELECT type, rtrim(customer_id, 'ab'), CASE WHEN NOT data ? 'email' THEN data END,"
            " metadata - 'fingerprint', occurred_at = recorded_at OR occurred_at IS NULL,"
            " data::text LIKE '%%@example.com%%'"
            " FROM events WHERE position > %s AND type IN ('Seen', 'Measured') ORDER BY position",
            (after,),
        )
        found = rows.fetchall()
    assert not any(is_plain for *_, is_plain in found)
    return found


async def test_requests_sent_ahead_are_answered_in_their_order(api: BothWays) -> None:
    odd = request(b"{}")
    last = request(ANN, "Connection: close")
    async with serving(api) as place:
        answer = await sent(place, request(ANN) + request(ANN) + odd + request(ANN) + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"201", b"201", b"400", b"201", b"201"]
    positions = [int(found) for found in re.findall(rb'"position":(\d+)', answer)]
    assert positions == sorted(positions)
    assert len(positions) == 4


async def test_one_connection_serves_both_ways_in_turn(api: BothWays) -> None:
    async with serving(api) as place:
        reader, writer = await asyncio.open_connection(*place)
        for message in 3 * [request(ANN), request(b"{}"), request(ANN, "Expect: 100-continue")]:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 100 " in head:
                head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            json.loads(await reader.readexactly(int(length[1])))
        writer.close()
    assert len([reply for reply in api.replies if reply]) == 3


@asynccontextmanager
async def held_up(database: Database) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Nothing is recorded for the time of the block."""
    connection = await psycopg.AsyncConnection.connect(database.conninfo(), autocommit=True)
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(log_lock_key())")
        yield connection


async def test_what_a_client_sent_that_has_gone_is_recorded(
    api: BothWays, database: Database
) -> None:
    before = last_position(database)
    async with serving(api) as place:
        async with held_up(database):
            _, writer = await asyncio.open_connection(*place)
            writer.write(request(ANN))
            await api.until_begun()
            writer.transport.abort()
            await asyncio.sleep(0.05)  # for the server to see it
        answer = await sent(place, request(ANN, "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert last_position(database) == before + 2
    assert api.under_way == (0, 0)


async def test_a_server_that_is_stopped_answers_what_is_under_way(
    api: BothWays, database: Database
) -> None:
    async with held_up(database) as holder:
        async with serving(api) as place:
            asked = asyncio.create_task(sent(place, request(ANN)))
            await api.until_begun()
            asyncio.get_running_loop().call_later(0.3, asyncio.create_task, holder.close())
        assert (await asked).startswith(b"HTTP/1.1 201 ")
    assert b"\r\nconnection: close\r\n" in await asked


async def test_who_has_waited_too_long_for_a_server_that_is_stopped_is_told(
    api: BothWays, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.serve.GRACE_S", 0.2)
    async with held_up(database):
        async with serving(api) as place:
            asked = asyncio.create_task(sent(place, request(ANN)))
            await api.until_begun()
        answer = await asked
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the server is being stopped" in answer
    assert api.under_way == (0, 0)


async def test_limits_count_both_ways_together(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "_BELIEVED_FOR_S", 3_600)
    async with opened(database, tmp_path, max_events_per_s=4) as api, serving(api) as place:
        message = request(ANN, "Connection: close")
        answers = [await sent(place, message) for _ in range(8)]
    statuses = [answer.split()[1] for answer in answers]
    assert statuses[:3] == [b"201"] * 3  # the first of all was sent before
    assert b"429" in statuses
    assert [bool(reply) for reply in api.replies] == [status == b"201" for status in statuses]
