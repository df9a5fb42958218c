"""The appender: one writer a process, which sends whatever has queued up as one group.

Natural batching: while a group is on its way the next one gathers, so groups grow with the load and
a lone append never waits for company. A large group is half of what is under way, no more: while
the server commits it, the other half is answered and comes again. Every caller is answered after
its own commit.

When the connection is lost in the middle, nobody knows whether the group was committed. Its event
ids were chosen before it was sent, so it is sent again: what was recorded is found again, the rest
is recorded now.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from time import perf_counter
from types import TracebackType

import psycopg
import structlog

from app.eventstore.database import Database, check_server, unavailable
from app.eventstore.group_calls import GroupAnswer, GroupCalls
from app.eventstore.groups import Waiting, encode_group, halves, take_group
from app.eventstore.heads import Heads
from app.eventstore.outcomes import tell_outcomes
from app.eventstore.port import Append, Appended, Waiter
from app.kernel.errors import (
    StoreUnavailable,
    TidingsError,
    UnstorableValue,
    first_line,
)
from app.kernel.metrics import UNMEASURED, Histogram

MAX_QUEUED_EVENTS = 50_000
MAX_QUEUED_BYTES = 256 * 1024 * 1024
BACKED_UP_EVENTS = 10_000
BACKED_UP_BYTES = 64 * 1024 * 1024
"""With so many in the queue it is time to refuse what comes before anything is done for it: what is
refused when it is ready to be recorded costs as much as what is recorded.
"""
ENOUGH_APPENDS = 32
"""For a group not to be parted: that would cost more than it gains."""
GROUPS_TO_CHECK = 100
"""Once an id has come again, for so many groups the store looks for each id before it inserts. Else
it takes them for new, and finds out by its unique index that one is not.
"""
GIVE_UP_AFTER = timedelta(seconds=20)
LOCK_TIMEOUT_MS = 10_000
SHORTEST_TRY_S = 5.0
_GIVE_UP_AFTER_S = GIVE_UP_AFTER.total_seconds()
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0

# An event's content breaks a rule or a limit of PostgreSQL (SQLSTATE class 22, 23 or 54).
_ContentRefused = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)

_log = structlog.get_logger(__name__)


class Appender:
    """Appends to one store over one connection. Use it as an async context."""

    def __init__(
        self,
        database: Database,
        *,
        group_events: Histogram = UNMEASURED,
        group_seconds: Histogram = UNMEASURED,
    ) -> None:
        """Take the running event loop; nothing connects before the ``async with``."""
        # Kept, for asking for it costs a system call up to Python 3.11.
        self._loop = asyncio.get_running_loop()
        self._database = database
        self._group_events = group_events
        self._group_seconds = group_seconds
        self._queue: deque[Waiting] = deque()
        self._queued_events = self._queued_bytes = 0
        self._appends_sent = 0
        """In the last group."""
        self._groups_to_check = 0
        self._closed = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._calls: GroupCalls | None = None
        self._heads = Heads()

    async def __aenter__(self) -> "Appender":
        """Connect, and refuse a server that could lose events."""
        self._calls = await self._connect()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what is queued, then close; nothing more is taken."""
        self._closed = True
        if self._task is None:
            return
        await self._idle.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    def submit(self, appends: Sequence[Append]) -> list[asyncio.Future[Appended]]:
        """Queue appends that travel as one group where the rules allow; a future for each.

        Raises `StoreUnavailable` when too many wait already (better refused early than late), or
        when it is closed.
        """
        give_up_at = perf_counter() + _GIVE_UP_AFTER_S
        answers: list[asyncio.Future[Appended]] = []
        unit: list[Waiting] = []
        unit_events = unit_bytes = 0
        for append in appends:
            waiting = Waiting(append, self._loop.create_future(), give_up_at)
            answers.append(waiting.answer)
            if self._encoded(waiting):
                unit.append(waiting)
                unit_events += len(waiting.records)
                unit_bytes += waiting.size_bytes
        self._enqueue(unit, unit_events, unit_bytes)
        return answers

    def append(self, append: Append) -> asyncio.Future[Appended]:
        """The same of one append."""
        answer: asyncio.Future[Appended] = self._loop.create_future()
        self.submit_one(append, answer)
        return answer

    def submit_one(self, append: Append, waiter: Waiter) -> None:
        """The same for whoever waits otherwise than by a future."""
        waiting = Waiting(append, waiter, perf_counter() + _GIVE_UP_AFTER_S)
        if self._encoded(waiting):
            self._enqueue((waiting,), len(waiting.records), waiting.size_bytes)

    def _enqueue(self, unit: Sequence[Waiting], unit_events: int, unit_bytes: int) -> None:
        if self._closed:
            raise StoreUnavailable("the event store is being closed")
        if self._queued_events + unit_events > MAX_QUEUED_EVENTS:
            raise StoreUnavailable("too many events wait to be recorded")
        if self._queued_bytes + unit_bytes > MAX_QUEUED_BYTES:
            raise StoreUnavailable("too much waits to be recorded")
        if unit:
            unit[0].unit_events = unit_events
            self._queued_events += unit_events
            self._queued_bytes += unit_bytes
            self._queue += unit
            self._wake.set()
            self._idle.clear()

    def is_backed_up(self) -> bool:
        """Whether so much waits that nothing should be added."""
        return self._queued_events > BACKED_UP_EVENTS or self._queued_bytes > BACKED_UP_BYTES

    def _encoded(self, waiting: Waiting) -> bool:
        """Whether it could be written down; else its caller is told, and nobody else is hurt."""
        try:
            waiting.encode()
        except (TypeError, ValueError, OverflowError) as error:
            waiting.resolve(UnstorableValue(first_line(error), field="data"))
            return False
        return True

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            while self._queue:
                group = take_group(self._queue, max_appends=self._share())
                self._appends_sent = len(group)
                try:
                    await self._send(group)
                except Exception as error:  # whoever waits is told; the next group goes on
                    _log.exception("append_failed")
                    _fail(group, StoreUnavailable(f"the append failed: {type(error).__name__}"))
                    await self._disconnect()  # an answer may still come, and is not the next one's
                finally:
                    self._queued_events -= sum(len(waiting.records) for waiting in group)
                    self._queued_bytes -= sum(waiting.size_bytes for waiting in group)
            self._wake.clear()
            self._idle.set()

    def _share(self) -> int:
        """How many appends the next group takes: half of those that wait or are just answered."""
        under_way = len(self._queue) + self._appends_sent
        return max((under_way + 1) // 2, ENOUGH_APPENDS)

    async def _send(self, group: list[Waiting]) -> None:
        """Append a group; on a value that PostgreSQL refuses, its halves, down to the culprit."""
        fresh = not self._groups_to_check and all(waiting.is_fresh for waiting in group)
        self._groups_to_check = max(self._groups_to_check - 1, 0)
        try:
            answer = await self._call_until_answered(group, fresh=fresh)
        except _ContentRefused as error:
            believed = fresh or self._heads.position
            if believed and isinstance(error, psycopg.errors.UniqueViolation):
                self._groups_to_check = GROUPS_TO_CHECK
                self._heads.forget()
                await self._send(group)
            elif len(group) == 1:
                _fail(group, UnstorableValue(first_line(error), field="data"))
            else:
                for half in halves(group):
                    await self._send(half)
        except TidingsError as error:
            _fail(group, error)
        else:
            self._note(group, answer)
            # After the next group has left: the server is not to wait for our callers.
            self._loop.call_soon(self._deliver, group, answer)

    def _note(self, group: list[Waiting], answer: GroupAnswer) -> None:
        """Take in what the next group's records may say."""
        if answer.refusals:
            self._groups_to_check = GROUPS_TO_CHECK
            self._heads.forget()
        else:
            parts = [part for waiting in group for part in waiting.append.streams]
            streams = [part.stream for part in parts for _ in part.events]
            self._heads.note(streams, answer.first_position, answer.versions)

    async def _call_until_answered(self, group: list[Waiting], *, fresh: bool) -> GroupAnswer:
        # By when they came: a queue behind a server that is down waits no longer than one append.
        deadline = max(waiting.give_up_at for waiting in group)
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(max(deadline - perf_counter(), SHORTEST_TRY_S)):
                    if self._calls is None:
                        self._calls = await self._connect()
                    return await self._call(self._calls, group, fresh=fresh)
            except _ContentRefused:
                raise
            except (psycopg.Error, StoreUnavailable, TimeoutError, OSError) as error:
                await self._disconnect()
                fresh = False
                for waiting in group:
                    waiting.sent = True
                if perf_counter() + pause_s > deadline:
                    raise _as_unavailable(error) from error
                _log.warning("append_retried", error=first_line(error))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _call(self, calls: GroupCalls, group: list[Waiting], *, fresh: bool) -> GroupAnswer:
        started = perf_counter()
        request = encode_group(group, self._heads, fresh=fresh)
        answer = await calls.append(request, seen=self._heads.position, fresh=fresh)
        self._group_events.observe(sum(len(waiting.records) for waiting in group))
        self._group_seconds.observe(perf_counter() - started)
        return answer

    def _deliver(self, group: list[Waiting], answer: GroupAnswer) -> None:
        try:
            tell_outcomes(group, answer)
        except Exception as error:
            _log.exception("answer_not_understood")
            _fail(group, StoreUnavailable(f"the append failed: {type(error).__name__}"))

    async def _connect(self) -> GroupCalls:
        connection = await self._database.connect(application_name="tidings append")
        try:
            await check_server(connection, accept_data_loss=self._database.accept_data_loss)
            await connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            calls = GroupCalls(connection)
            await calls.prepare()
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.OperationalError):  # it is lost already
                raise unavailable(error) from error
            raise
        return calls

    async def _disconnect(self) -> None:
        if self._calls is not None:
            with suppress(Exception):
                await self._calls.close()
            self._calls = None
        self._heads.forget()


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.resolve(error)


def _as_unavailable(error: Exception) -> TidingsError:
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, psycopg.Error):
        return unavailable(error)
    return StoreUnavailable("the event store does not answer")
