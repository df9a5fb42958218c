"""How a connection is read: uvicorn's HTTP/1.1, with bounds, and refusals that look like ours."""

import asyncio
import re
from typing import Any
from urllib.parse import unquote

import httptools
from msgspec import structs
from msgspec.json import Encoder
from uuid_utils import uuid7
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.http.cycle import END_OF_HEADS, TAKES_LINES, Cycle, News
from app.http.load import Overloaded
from app.http.patience import Patience
from app.http.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, RequestTimeout, problem_for
from app.kernel.errors import InvalidInput, TidingsError

MAX_HEAD_BYTES = 64 * 1024
"""Of a request line and headers, as far as they come in several pieces."""
MAX_CONNECTIONS = 5_000
"""Of one process, whether anything is asked over them or not."""
MAX_PIPELINED_REQUESTS = 64
"""That wait behind one that is being answered; each costs more than its few bytes."""
HEAD_PATIENCE_S = 10.0
"""How long a head may take to come, from its first byte or the connection's beginning."""
BODY_PATIENCE_S = 30.0
"""The same of a body, from its head on."""
MAX_UNTAKEN_BYTES = 16 * 1024
"""Of what a client was sent; while it has not taken so much, it is sent nothing more."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_NO_UPGRADE = b"\r\noffered:"  # of the same length

_REFUSAL = (
    b"%bcontent-type: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n%b%b"
)
_RETRY_AFTER = b"retry-after: %d\r\n" % RETRY_AFTER_SECONDS
_EXTENSIONS: dict[str, Any] = {TAKES_LINES: {}}

_encoder = Encoder()


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, whatever else a client offers to speak.

    Some, Java's among them, offer HTTP/2 with each first request. The parser would take what
    follows the headers for that, and the request would lose its body.
    """

    _is_in_head = False
    _head_bytes = 0
    _stages = 0
    _stage = 0
    """The head or body that is coming, by a number of its own; 0 between two messages."""
    _watched = 0
    """The stage that the timer runs for."""
    _timer: asyncio.TimerHandle | None = None
    _answered_at = 0.0
    """When the last answer was whole, by the loop's clock."""
    _idle_timer: asyncio.TimerHandle | None = None
    """One for the connection's whole life: to set one for each request would cost it more."""
    _fresh: Cycle | None = None
    """A request that came with what was read last, and that nobody has begun to answer."""
    _patience: Patience
    _scope_of_all: dict[str, Any]
    """What is the same in the scopes of all requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client has come."""
        transport.set_write_buffer_limits(MAX_UNTAKEN_BYTES)
        self._patience = Patience(self.loop, transport.abort)
        super().connection_made(transport)
        self._scope_of_all = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": "",
            "extensions": _EXTENSIONS,
        }
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(Overloaded("too many connections are open"))
            return
        self._is_in_head = True  # so it is expected
        self._enter_stage()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was sent away."""
        super().connection_lost(exc)
        self._patience.end()
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        super().pause_writing()
        self._patience.wait()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._patience.go_on()

    def on_response_complete(self) -> None:
        """An answer is whole: go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._answered_at = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._end_idleness)

    def _end_idleness(self) -> None:
        """Close the connection when nothing was asked for so long; else look again."""
        is_idle = self._stage == 0 and self.cycle.response_complete
        idle_s = self.loop.time() - self._answered_at if is_idle else 0
        if idle_s >= self.timeout_keep_alive:
            self.transport.close()
        else:
            left_s = self.timeout_keep_alive - idle_s
            self._idle_timer = self.loop.call_later(left_s, self._end_idleness)

    def data_received(self, data: bytes) -> None:
        """Take no notice of an offer, and only so much of a head."""
        super().data_received(_UPGRADE.sub(_NO_UPGRADE, data) if b"pgrade:" in data else data)
        if self._fresh is not None:
            cycle, self._fresh = self._fresh, None
            self._begin(cycle)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("the headers are too long")
        if self._stage != self._watched:
            self._watch()

    def _begin(self, cycle: Cycle) -> None:
        """Have a request answered: at once if that can be, else by a task."""
        begin = getattr(self.app, "begin", None)
        # An answer that has to wait for the client to take others takes a task to wait.
        is_plain = not (cycle.more_body or cycle.waiting_for_100_continue or self.flow.write_paused)
        reply = begin(cycle) if begin and is_plain else None
        if reply is None:
            self._start_asgi_task(cycle, self.app)
        elif not reply.done():
            reply.add_done_callback(self.tasks.discard)
            self.tasks.add(reply)

    def _enter_stage(self) -> None:
        self._stages += 1
        self._stage = self._stages

    def _watch(self) -> None:
        """Be patient only for so long with what does not come in one piece."""
        self._watched = self._stage
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stage and not self.transport.is_closing():
            patience_s = HEAD_PATIENCE_S if self._is_in_head else BODY_PATIENCE_S
            self._timer = self.loop.call_later(patience_s, self._give_up)

    def _give_up(self) -> None:
        """Close the connection; with a word, when a request was begun and nothing answers it."""
        if self._is_in_head:
            is_answered = self.cycle is not None and not self.cycle.response_complete
            may_speak = self._head_bytes > 0 and not is_answered
        else:
            may_speak = not self.cycle.response_started
        if may_speak:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head, self._head_bytes = True, 0
        self._enter_stage()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = {
            **self._scope_of_all,  # type: ignore[typeddict-item] # the rest comes with the head
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def on_headers_complete(self) -> None:
        """Its head has come."""
        self._is_in_head = False
        self._enter_stage()
        self._complete_scope()
        former = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=News(),  # type: ignore[arg-type] # does for one
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if former is None or former.response_complete:
            self._fresh = self.cycle  # its body may have come as well
            return
        self.flow.pause_reading()
        self.pipeline.appendleft((self.cycle, self.app))
        if len(self.pipeline) > MAX_PIPELINED_REQUESTS:
            raise InvalidInput("too many requests wait for their answers")

    def _complete_scope(self) -> None:
        """Note what the request line says."""
        scope = self.scope
        scope["http_version"] = self.parser.get_http_version()
        scope["method"] = self.parser.get_method().decode("ascii")
        url = httptools.parse_url(self.url)
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path

    def on_body(self, body: bytes) -> None:
        """Some of its body has come."""
        if not self.cycle.response_complete:
            self.cycle.body += body
            if len(self.cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._stage = 0
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """Refuse what never becomes a request, and close the connection."""
        self._refuse(InvalidInput(msg))

    def _refuse(self, error: TidingsError) -> None:
        request_id = str(uuid7())
        problem = structs.replace(problem_for(error), request_id=request_id)
        body = _encoder.encode(problem)
        status, length = STATUS_LINE[problem.status], len(body)
        retry = _RETRY_AFTER if problem.status == 503 else b""
        head = (status, MEDIA_TYPE.encode(), request_id.encode(), length, retry, END_OF_HEADS)
        self.transport.write(_REFUSAL % head + body)
        self.transport.close()
