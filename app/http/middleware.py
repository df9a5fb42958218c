"""The outermost layer, around everything: ids, bounds, metrics, the access log, direct routes."""

import asyncio
import logging
from collections.abc import Awaitable
from time import perf_counter

import structlog

from app.http.access import Access
from app.http.asgi import EVENT_STREAM, App, Message, Receive, Scope, Send, pieces_of, respond
from app.http.at_once import STOPPING, Reply, Start, WholeRequest
from app.http.context import RequestContext, open_context
from app.http.cycle import add_lines
from app.http.direct import DirectRoutes, PlainRoute
from app.http.edge import Edge, answer_preflight
from app.http.load import SMALL_ANSWER_BYTES, UNKNOWN_ANSWER_BYTES, Load, Overloaded
from app.http.metrics import RequestMetrics
from app.http.problems import answer_to
from app.http.target import check_target, raw_path_of

TOO_MANY_ANSWERS = "too many answers wait for those who asked"
UNMATCHED = "unmatched"
"""The route of a request that no route knows: its path could be anything."""
OTHER = "other"
"""The method of a request that has one of its own invention."""

_NEVER_SHED = frozenset({b"/health/live", b"/health/ready", b"/metrics"})
"""Or who is to see that there is too much to do would take the server for dead."""
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
            exchange.is_shed = isinstance(error, Overloaded)
            await _refuse(error, scope, send)
        except asyncio.CancelledError:
            if exchange.status:
                raise
            # The server is being stopped, and has waited for this long enough.
            await _refuse(STOPPING, scope, send)
        finally:
            self._let_go(context)
            self._record(method, scope, exchange, perf_counter() - started_at)

    def begin(self, request: WholeRequest) -> Reply | None:
        """Answer a request that has come whole by plain calls, now or when its outcome is there.

        None, and nothing is done, when it is to be answered as any.
        """
        started_at = perf_counter()
        scope = request.scope
        route = self._direct_routes.plain(scope)
        if route is None:
            return None
        self._load.requests += 1
        context = open_context(scope, self._load)
        start = self._prepared(route, bytes(request.body), scope, context)
        if start is None:
            self._let_go(context)
            return None
        reply = Reply(
            request,
            context,
            started_at=started_at,
            answer_of=route.endpoint.answer_of,
            edge=self._edge,
            end=self._end,
        )
        try:
            start(reply)
        except Exception as error:  # what was taken from the limits is taken
            reply.set_exception(error)
        return reply

    def _prepared(
        self, route: PlainRoute, body: bytes, scope: Scope, context: RequestContext
    ) -> Start | None:
        """What begins a request's work when nothing about it is out of the ordinary."""
        if self._load.is_full_for(scope["method"]):
            return None
        try:
            context.hold(len(body))
            self._edge.check(scope, context)
            is_known = self._access.is_known(route.permission, scope)
            return route.endpoint.prepare(body, scope) if is_known else None
        except Exception:  # whatever it is, the ordinary way meets it too
            return None

    def _let_go(self, context: RequestContext) -> None:
        self._load.requests -= 1
        context.let_go()

    def _end(self, reply: Reply) -> None:
        self._let_go(reply.context)
        scope = reply.scope
        self._record(scope["method"], scope, reply, perf_counter() - reply.started_at)

    async def _route(self, scope: Scope, context: RequestContext) -> App:
        """Whoever answers; raises `Overloaded`, and what `Edge`, `check_target` and `Access` do."""
        if self._load.is_full_for(scope["method"]) and scope["raw_path"] not in _NEVER_SHED:
            raise Overloaded
        self._edge.check(scope, context)
        if scope["method"] == "OPTIONS" and self._edge.is_preflight(scope, context):
            return answer_preflight
        if direct_route := self._direct_routes.find(scope):
            await self._access.check(direct_route.permission, scope)
            return direct_route.app
        check_target(scope)
        return self._app

    def _record(
        self, method: str, scope: Scope, exchange: "_Exchange | Reply", seconds: float
    ) -> None:
        method = method if method in _METHODS else OTHER
        route = scope.get("path_template", UNMATCHED)
        self._metrics.observe(method, route, exchange.status, seconds)
        # A line for each success would cost the hot route a third of its speed; metrics count them.
        # So it is with what is shed, of which there is most when there is least time.
        is_told = exchange.status >= 400 and not exchange.is_shed
        level = logging.INFO if is_told else logging.DEBUG
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

    __slots__ = ("_context", "_edge", "_scope", "_send", "is_shed", "request_id", "status")

    def __init__(self, send: Send, scope: Scope, context: RequestContext, edge: Edge) -> None:
        self._send = send
        self._scope = scope
        self._context = context
        self._edge = edge
        self.request_id = context.request_id
        self.status = 0  # until an answer begins
        self.is_shed = False

    def send(self, message: Message) -> Awaitable[None]:
        # Not a coroutine itself, which would cost as much as all the rest of it.
        if message["type"] == "http.response.start":
            if self._scope["method"] == "GET" and not self._is_held(message):
                return self._shed()
            self.status = message["status"]
            add_lines(self._scope, message, self._edge.lines_for(self._scope, self._context))
        elif not self.is_shed and len(message.get("body", b"")) > SMALL_ANSWER_BYTES:
            return self._send_in_pieces(message)
        return self._send(message)

    def _is_held(self, start: Message) -> bool:
        """Hold the answer to what is read; False while too much waits for other clients."""
        headers = start.get("headers", ())
        if EVENT_STREAM in headers:  # which counts for itself
            return True
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        size_bytes = int(lengths[0]) if lengths else UNKNOWN_ANSWER_BYTES
        if size_bytes <= SMALL_ANSWER_BYTES:
            return True
        if not self._context.load.has_room_for(size_bytes):
            return False
        self._context.hold_answer(size_bytes)
        return True

    async def _shed(self) -> None:
        """Refuse instead, and drop what was to be sent.

        An exception would keep the answer, by its traceback, until garbage is looked for.
        """
        self.is_shed = True
        await _refuse(Overloaded(TOO_MANY_ANSWERS), self._scope, self.send)
        self._send = _drop

    async def _send_in_pieces(self, message: Message) -> None:
        """Wait, with the request still counted, until the client has taken all but the last.

        What comes after a piece waits for it, so an empty one ends a whole answer.
        """
        if not self._context.held_answer_bytes:  # what was asked for is done: it is answered
            self._context.hold_answer(len(message["body"]))
        for piece in pieces_of(message["body"], SMALL_ANSWER_BYTES):
            await self._send({"type": message["type"], "body": piece, "more_body": True})
        if not message.get("more_body", False):
            await self._send({"type": message["type"], "body": b"", "more_body": False})


async def _drop(_message: Message) -> None:
    """What is not to be sent."""


async def _refuse(error: Exception, scope: Scope, send: Send) -> None:
    answer = answer_to(error, scope)
    await respond(send, answer.status, answer.asgi_headers, answer.body)


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
