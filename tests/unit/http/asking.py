"""Ask an ASGI app directly, as a server would."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from app.http.access import PUBLIC
from app.http.app import create_app
from app.http.asgi import App, Message, Scope
from app.http.limits import Allowance
from app.http.metrics import Metrics
from tests.fixtures.access import OpenGate


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; the body must be a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        return str(problem["type"]).removeprefix("urn:tidings:problem:")


class Only:
    """Everybody has the same allowance."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def allowance_of(self, _owner: str) -> Allowance:
        return self._allowance


def scope_of(method: str = "GET", target: str = "/", **headers: str) -> Scope:
    """What a server makes of a request line and headers; underscores stand for hyphens."""
    raw_path, _, query = target.partition("?")
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }


async def ask(
    app: App, method: str, target: str, body: bytes | list[bytes] = b"", **headers: str
) -> Answer:
    """Send a request, its body in one chunk or several, and collect the answer."""
    chunks = body if isinstance(body, list) else [body]
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    answer = Answer()

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert answer.status == 0, "an answer began twice"
            answer.status = message["status"]
            answer.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        else:
            answer.body += message["body"]

    await app(scope_of(method, target, **headers), receive, send)
    return answer


async def post(app: App, target: str, body: bytes | list[bytes], **headers: str) -> Answer:
    """Send JSON."""
    return await ask(app, "POST", target, body, **{"content_type": "application/json"} | headers)


def app_of(*route_handlers: Any, **options: Any) -> App:
    """An app with these routes; one that does not say who may call it is for everybody."""
    for handler in route_handlers:
        handler.opt = PUBLIC | handler.opt
    gate = options.pop("gate", OpenGate())
    return create_app(route_handlers, version="1.2.3", metrics=Metrics(), gate=gate, **options)
