"""The outermost layer, around everything: ids, bounds, metrics, the access log, direct routes."""

import asyncio
import logging
from collections.abc import Awaitable
from time import perf_counter

import structlog

from app.http.access import Access
from app.http.asgi import App, Message, Receive, Scope, Send, respond
from app.http.context import RequestContext, open_context
from app.http.direct import DirectRoutes
from app.http.edge import Edge, answer_preflight
from app.http.limits import limit_lines
from app.http.load import Load, Overloaded
from app.http.metrics import RequestMetrics
from app.http.one_write import add_lines
from app.http.problems import answer_to
from app.http.target import check_target, raw_path_of
from app.kernel.errors import StoreUnavailable

UNMATCHED = "unmatched"
"""The route of a request that no route knows: its path could be anything."""
OTHER = "other"
"""The method of a request that has one of its own invention."""

_NEVER_SHED = frozenset({b"/health/live", b"/health/ready", b"/metrics"})
"""Or who is to see that there is too much to do would take the server for dead."""
_STOPPING = StoreUnavailable("the server is being stopped; what was asked for may have been done")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Front:
    """Stands before the framework; what fails outside the framework it answers with a problem."""

    def __init__(
        self,
        app: App,
        *,
        access: Access,
        direct_routes: DirectRoutes,
        metrics: RequestMetrics,
        edge: Edge,
        load: Load,
    ) -> None:
        """Wrap the app, and serve the direct routes in its place, to whom they are for.

        All that is under way in this process is counted in the load.
        """
        self._app = app
        self._access = access
        self._direct_routes = direct_routes
        self._metrics = metrics
        self._edge = edge
        self._load = load
        self._log = structlog.get_logger("tidings.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none, such as startup."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = perf_counter()
        method = scope["method"]
        context = open_context(scope, self._load)
        if method == "HEAD":
            # The scope is copied, for the server decides by its own whether a body may follow.
            scope = {**scope, "method": "GET"}
        exchange = _Exchange(send, scope, context, self._edge)
        send = _without_body(exchange.send) if method == "HEAD" else exchange.send
        self._load.requests += 1
        try:
            answer = await self._route(scope, context)
            await answer(scope, receive, send)
        except Exception as error:
            if exchange.status:
                raise
            await _refuse(error, scope, send)
        except asyncio.CancelledError:
            if exchange.status:
                raise
            # The server is being stopped, and has waited for this long enough.
            await _refuse(_STOPPING, scope, send)
        finally:
            self._load.requests -= 1
            self._load.body_bytes -= context.held_bytes
            self._record(method, scope, exchange, perf_counter() - started_at)

    async def _route(self, scope: Scope, context: RequestContext) -> App:
        """Whoever answers; raises `Overloaded`, and what `Edge`, `check_target` and `Access` do."""
        if self._load.is_full() and scope["raw_path"] not in _NEVER_SHED:
            raise Overloaded
        self._edge.check(scope, context)
        if scope["method"] == "OPTIONS" and self._edge.is_preflight(scope, context):
            return answer_preflight
        if direct_route := self._direct_routes.find(scope):
            await self._access.check(direct_route.permission, scope)
            return direct_route.app
        check_target(scope)
        return self._app

    def _record(self, method: str, scope: Scope, exchange: "_Exchange", seconds: float) -> None:
        method = method if method in _METHODS else OTHER
        route = scope.get("path_template", UNMATCHED)
        self._metrics.observe(method, route, exchange.status, seconds)
        # A line for each success would cost the hot route a third of its speed; metrics count them.
        level = logging.DEBUG if exchange.status < 400 else logging.INFO
        if self._log.is_enabled_for(level):
            # Whoever tries credentials is to be found; of anybody else, no address is kept.
            whence = {"client": (scope.get("client") or ("",))[0]} if exchange.status == 401 else {}
            self._log.log(
                level,
                "request",
                method=method,
                # As it came, percent-encoded: nothing in it can forge a line of the log.
                path=raw_path_of(scope).decode("latin-1"),
                status=exchange.status,
                duration_ms=round(seconds * 1000, 3),
                request_id=exchange.request_id,
                **whence,
            )


class _Exchange:
    """One request's way back: adds to the answer what all carry, and remembers the status."""

    __slots__ = ("_context", "_edge", "_scope", "_send", "request_id", "status")

    def __init__(self, send: Send, scope: Scope, context: RequestContext, edge: Edge) -> None:
        self._send = send
        self._scope = scope
        self._context = context
        self._edge = edge
        self.request_id = context.request_id
        self.status = 0  # until an answer begins

    def send(self, message: Message) -> Awaitable[None]:
        # Not a coroutine itself, which would cost as much as all the rest of it.
        if message["type"] == "http.response.start":
            self.status = message["status"]
            edge, limits = self._edge.lines_for(self._context), limit_lines(self._scope)
            id_line = b"x-request-id: %b\r\n" % self.request_id.encode()
            add_lines(self._scope, message, id_line + edge + limits)
        return self._send(message)


async def _refuse(error: Exception, scope: Scope, send: Send) -> None:
    answer = answer_to(error, scope)
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    await respond(send, answer.status, headers, answer.body)


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
