"""Requests that are answered by plain calls: without a task, messages or coroutines of their own.

That is half of what a small request costs, and for the usual case of a route that is asked for all
the time it is not needed: the request has come whole, its credential is believed, its limits have
room, and nothing has to be waited for but the store. Anything else takes the ordinary way through
`app.http.middleware`, where it is waited for or refused; nothing has been done for it here.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import structlog

from app.http.asgi import Headers, Scope
from app.http.context import RequestContext
from app.http.edge import Edge
from app.http.problems import answer_to
from app.kernel.errors import StoreUnavailable

STOPPING = StoreUnavailable("the server is being stopped; what was asked for may have been done")

_JSON: Headers = [(b"content-type", b"application/json")]
_log = structlog.get_logger("tidings.http")


class WholeRequest(Protocol):
    """A request that has come whole, and can be answered (`app.http.cycle.Cycle`)."""

    scope: Any
    body: bytearray

    def answer(self, status: int, headers: Headers, lines: bytes, body: bytes, /) -> None:
        """Send the whole answer, unless the client has gone."""
        ...


class Reply:
    """An answer that is awaited: for the server what a task is, for the store what a future is."""

    __slots__ = (
        "_answer_of",
        "_edge",
        "_end",
        "_forget",
        "_request",
        "context",
        "started_at",
        "status",
    )
    is_shed = False

    def __init__(
        self,
        request: WholeRequest,
        context: RequestContext,
        *,
        started_at: float,
        answer_of: Callable[[Any], tuple[int, bytes]],
        edge: Edge,
        end: Callable[["Reply"], None],
    ) -> None:
        """Take when it came (by `perf_counter`), what makes status and JSON of an outcome, and what
        is to be done at the end.
        """
        self.context = context
        self.started_at = started_at
        self.status = 0  # until it is answered
        self._request = request
        self._answer_of = answer_of
        self._edge = edge
        self._end = end
        self._forget: Callable[[Reply], None] | None = None

    @property
    def scope(self) -> Scope:
        """The request's."""
        scope: Scope = self._request.scope
        return scope

    @property
    def request_id(self) -> str:
        """The request's."""
        return self.context.request_id

    def done(self) -> bool:
        """Whether the request is answered."""
        return self.status != 0

    def add_done_callback(self, callback: Callable[["Reply"], None]) -> None:
        """Call this one when it is."""
        self._forget = callback

    def set_result(self, outcome: Any) -> None:
        """Answer with an outcome."""
        try:
            status, body = self._answer_of(outcome)
        except Exception as error:  # it is answered, as any that a request fails with
            self.set_exception(error)
        else:
            self._answer(status, _JSON, body)

    def set_exception(self, error: Exception) -> None:
        """Answer with a problem."""
        answer = answer_to(error, self.scope)
        self._answer(answer.status, answer.asgi_headers, answer.body)

    def cancel(self, msg: str | None = None) -> None:  # noqa: ARG002 - as of a task
        """Soon answer that the server is being stopped: it has waited for this long enough."""
        asyncio.get_running_loop().call_soon(self._give_up)

    def _give_up(self) -> None:
        if not self.done():
            self.set_exception(STOPPING)

    def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        try:
            lines = self._edge.lines_for(self.scope, self.context)
            self._request.answer(status, headers, lines, body)
        except Exception:  # whoever else waits for the store is not to suffer from it
            _log.exception("answer_failed", request_id=self.request_id)
        if self._forget is not None:
            self._forget(self)
        self._end(self)


Start = Callable[[Reply], None]
"""Begins the work of a request, and has its outcome told to the reply."""


@runtime_checkable
class PlainEndpoint(Protocol):
    """An application that can do without waiting for anything but an outcome."""

    def prepare(self, body: bytes, scope: Scope, /) -> Start | None:
        """Check everything, and take from the limits; what is left is to start.

        None, or any error, when the request has to take the ordinary way; nothing is taken then.
        """
        ...

    def answer_of(self, outcome: Any, /) -> tuple[int, bytes]:
        """The status and JSON of an outcome. Raises the error that is one."""
        ...
