"""The outermost layer, around everything: ids, metrics, the access log, and the direct routes."""

import logging
from collections.abc import Awaitable, Mapping
from time import perf_counter

import structlog

from app.http.asgi import App, Message, Receive, Scope, Send, respond
from app.http.context import open_context
from app.http.metrics import RequestMetrics
from app.http.problems import answer_to
from app.http.target import check_target, raw_path_of

UNMATCHED = "unmatched"
"""The route of a request that no route knows: its path could be anything."""
OTHER = "other"
"""The method of a request that has one of its own invention."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

DirectRoutes = Mapping[tuple[str, str], App]
"""By method and exact path: what is answered without the framework, for speed."""


class Front:
    """Stands before the framework; what fails outside the framework it answers with a problem."""

    def __init__(self, app: App, *, direct_routes: DirectRoutes, metrics: RequestMetrics) -> None:
        """Wrap the app, and serve the direct routes in its place."""
        self._app = app
        self._direct_routes = direct_routes
        self._metrics = metrics
        self._log = structlog.get_logger("tidings.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none, such as startup."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = perf_counter()
        exchange = _Exchange(send, open_context(scope).request_id)
        self._metrics.in_flight.inc()
        route = UNMATCHED
        try:
            route = await self._answer(scope, receive, exchange)
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, route, exchange, perf_counter() - started_at)

    async def _answer(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> str:
        """Answer the request; returns the template of its route."""
        method, path = scope["method"], scope["path"]
        direct_route = self._direct_routes.get((method, path))
        send: Send = exchange.send
        if method == "HEAD":
            # The scope is copied, for the server decides by its own whether a body may follow.
            scope = {**scope, "method": "GET"}
            send = _without_body(send)
        try:
            check_target(scope)
            await (direct_route or self._app)(scope, receive, send)
        except Exception as error:
            if exchange.status:
                raise
            answer = answer_to(error, scope)
            headers = [(k.lower().encode(), v.encode()) for k, v in answer.headers.items()]
            await respond(send, answer.status, headers, answer.body)
        template: str = path if direct_route else scope.get("path_template", UNMATCHED)
        return template

    def _record(self, scope: Scope, route: str, exchange: "_Exchange", seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        self._metrics.observe(method, route, exchange.status, seconds)
        # A line for each success would cost the hot route a third of its speed; metrics count them.
        level = logging.DEBUG if exchange.status < 400 else logging.INFO
        if self._log.is_enabled_for(level):
            self._log.log(
                level,
                "request",
                method=method,
                # As it came, percent-encoded: nothing in it can forge a line of the log.
                path=raw_path_of(scope).decode("latin-1"),
                status=exchange.status,
                duration_ms=round(seconds * 1000, 3),
                request_id=exchange.request_id,
            )


class _Exchange:
    """One request's way back: adds its id to the answer, and remembers the status."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0  # until an answer begins

    def send(self, message: Message) -> Awaitable[None]:
        # Not a coroutine itself, which would cost as much as all the rest of it.
        if message["type"] == "http.response.start":
            self.status = message["status"]
            id_header = (b"x-request-id", self.request_id.encode())
            message = {**message, "headers": [*message.get("headers", ()), id_header]}
        return self._send(message)


def _without_body(send: Send) -> Send:
    """Turn the answer to a GET into the answer to a HEAD; even one that would never end, ends."""
    is_complete = False

    async def send_head(message: Message) -> None:
        nonlocal is_complete
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_complete:
            is_complete = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
