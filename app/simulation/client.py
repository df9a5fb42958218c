"""The API as its clients see it: send, read the outcome, and send again when it cannot be had."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from app.kernel.errors import TidingsError
from app.simulation.entries import Entry
from app.simulation.messages import Message

RETRY_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 2.0
REQUEST_TIMEOUT_SECONDS = 30.0
UNAVAILABLE = frozenset({429, 502, 503, 504})
BUSY = frozenset({"contention"})
"""Codes of problems that will be over when it is sent again."""
PROBLEM = "urn:tidings:problem:"
MAX_PAGE_EVENTS = 1000
JSON = {"Content-Type": "application/json"}


class ApiUnavailable(TidingsError):
    """The API cannot be reached."""


class Outcome(Struct, frozen=True):
    """What became of a message."""

    kind: Literal["recorded", "repeated", "refused", "rejected"]
    """Repeated, or nothing to do; refused as the story has it, or rejected."""
    reason: str = ""
    """Why it was rejected, in one line."""
    code: str = ""
    """The code of that problem."""


class _Answer(Struct, frozen=True):
    status: int
    body: bytes


class _Problem(Struct, frozen=True):
    title: str = ""
    detail: str = ""
    type: str = ""

    def __str__(self) -> str:
        return self.detail or self.title


class _Health(Struct, frozen=True):
    status: str


class _EventOutcome(Struct, frozen=True):
    outcome: Literal["recorded", "repeated", "rejected", "quarantined"]
    problem: _Problem = _Problem()

    def told(self) -> Outcome:
        """As the simulation counts it: what is quarantined is on no timeline."""
        if self.outcome == "quarantined":
            return Outcome("rejected", "it does not fit the schema of its type; quarantined")
        return Outcome(self.outcome, str(self.problem))


class _CommandOutcome(Struct, frozen=True):
    events: Sequence[object]
    repeated: bool = False


class _StreamEvent(Struct, frozen=True):
    type: str
    occurred_at: datetime


class _StreamPage(Struct, frozen=True):
    items: Sequence[_StreamEvent]


class _LogPage(Struct, frozen=True):
    items: Sequence[Entry]


class Client:
    """Sends messages; a lost connection or a busy server only makes it try again for a while."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        """The session is the caller's to close, and sends the API key. Nothing is sent yet."""
        self._session = session
        self._url = url.rstrip("/")
        self._retry_seconds = retry_seconds

    async def check(self) -> None:
        """Raise `ApiUnavailable` unless Tidings is there; one that is starting is waited for."""
        try:
            await self._send("GET", "/health/live", b"", {})
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise ApiUnavailable(
                f"nothing answers at {self._url}; is `tidings up` running?"
            ) from None
        if not _is_ready(await self._ask("GET", "/health/ready")):
            raise ApiUnavailable(f"what answers at {self._url} is not the API of Tidings")

    async def first_event_at(self, stream: str) -> datetime | None:
        """When the first event of a stream occurred, if there is one."""
        body = await self._read(f"/v1/streams/{stream}?limit=1")
        return msgspec.json.decode(body, type=_StreamPage).items[0].occurred_at if body else None

    async def first_type(self, stream: str, types: Collection[str]) -> str | None:
        """The type of a stream's first event that is one of these, if there is one."""
        body = await self._read(f"/v1/streams/{stream}?limit={MAX_PAGE_EVENTS}")
        items = msgspec.json.decode(body, type=_StreamPage).items if body else ()
        return next((item.type for item in items if item.type in types), None)

    async def log_after(self, position: int) -> Sequence[Entry]:
        """Some events of the log behind a position, in order; none at its end."""
        body = await self._read(f"/v1/events?after={position}&limit={MAX_PAGE_EVENTS}")
        return msgspec.json.decode(body, type=_LogPage).items if body else ()

    async def look(self, path: str) -> Any:
        """What a query answers, as JSON; None where there is no such thing."""
        body = await self._read(path)
        return msgspec.json.decode(body) if body else None

    async def set(self, method: str, path: str, body: bytes) -> None:
        """Have something set up. Raises `ApiUnavailable` when it is refused, too."""
        answer = await self._ask(method, path, body)
        if answer.status != 200:
            raise ApiUnavailable(f"{self._url} refuses {path}: {_reason(answer)}")

    async def _read(self, path: str) -> bytes | None:
        answer = await self._ask("GET", path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise ApiUnavailable(f"{self._url} cannot be read: {_reason(answer)}")
        return answer.body

    async def send(self, message: Message) -> Outcome:
        """Send one message. Raises `ApiUnavailable` when it cannot be done in time."""
        answer = await self._ask("POST", message.path, message.body, message.headers)
        if answer.status >= 300:
            return Outcome("rejected", f"{message.name}: {_reason(answer)}", _code(answer))
        if message.is_event:
            return msgspec.json.decode(answer.body, type=_EventOutcome).told()
        done = msgspec.json.decode(answer.body, type=_CommandOutcome)
        return Outcome("repeated" if done.repeated or not done.events else "recorded")

    async def send_events(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send events in one request, at most as many as the API takes; the outcome of each."""
        body = b"[" + b",".join(message.body for message in messages) + b"]"
        answer = await self._ask("POST", "/v1/events", body)
        if answer.status != 200:
            return [Outcome("rejected", _reason(answer))] * len(messages)
        outcomes = msgspec.json.decode(answer.body, type=list[_EventOutcome])
        return [each.told() for each in outcomes]

    async def _ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> _Answer:
        """Send until it is answered: every message has an id, so a repeat is safe."""
        deadline = asyncio.get_running_loop().time() + self._retry_seconds
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = await self._send(method, path, body, headers or {})
                if answer.status not in UNAVAILABLE and _code(answer) not in BUSY:
                    return answer
                why = _reason(answer)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                why = str(error) or type(error).__name__
            if asyncio.get_running_loop().time() + pause_seconds > deadline:
                raise ApiUnavailable(
                    f"{self._url} could not do it within {self._retry_seconds:g} s: {why}"
                )
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, MAX_PAUSE_SECONDS)

    async def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> _Answer:
        async with self._session.request(
            method,
            URL(self._url + path, encoded=True),
            data=body or None,
            headers={**JSON, **headers} if body else None,
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
            allow_redirects=False,
        ) as response:
            return _Answer(response.status, await response.read())


def _is_ready(answer: _Answer) -> bool:
    try:
        return msgspec.json.decode(answer.body, type=_Health).status == "ready"
    except msgspec.MsgspecError:
        return False


def _code(answer: _Answer) -> str:
    """Of a problem: ``ride-taken``; empty for whatever is none."""
    if answer.status < 400:
        return ""
    try:
        return msgspec.json.decode(answer.body, type=_Problem).type.removeprefix(PROBLEM)
    except msgspec.MsgspecError:
        return ""


def _reason(answer: _Answer) -> str:
    """What a problem says, or the status of an answer that is none."""
    try:
        reason = str(msgspec.json.decode(answer.body, type=_Problem))
    except msgspec.MsgspecError:
        reason = ""
    return reason or f"status {answer.status}"
