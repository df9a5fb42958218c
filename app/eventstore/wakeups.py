"""Being told that the log has grown: by the appends' notification, or else by a slow poll."""

import asyncio
from datetime import timedelta
from types import TracebackType

import psycopg
import structlog
from psycopg.sql import SQL, Identifier

from app.eventstore.database import Connection, Database
from app.kernel.errors import StoreUnavailable

RECONNECT_AFTER_S = 1.0
LINGER_S = 10.0
"""How much longer than two poll intervals it listens after the last wait."""

_log = structlog.get_logger(__name__)


class Wakeups:
    """One listening connection of a process, shared by all in it that follow the log.

    A notification is a hint: whoever waits also wakes after the poll interval, so a lost connection
    costs latency and nothing else. Take `ticket` before looking at the log and `wait` with it
    after finding nothing, so that what is appended between the two is not slept through.

    It listens only while somebody waits, and for a while after: each listener makes every append
    dearer, for the server and for its own process.
    """

    def __init__(self, database: Database, poll_interval: timedelta) -> None:
        """Nothing connects before the ``async with``."""
        self._database = database
        self._poll_interval_s = poll_interval.total_seconds()
        self._ticket = 0
        self._bell = asyncio.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Wakeups":
        """Listen from the first wait on."""
        self._task = asyncio.create_task(self._listen_for_ever())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def ticket(self) -> int:
        """What `wait` is given: it returns at once when anything has come since."""
        return self._ticket

    async def wait(self, ticket: int) -> None:
        """Return when something was appended since the ticket, or after the poll interval."""
        self._wanted.set()
        if ticket != self._ticket:
            return
        try:
            async with asyncio.timeout(self._poll_interval_s):
                await self._bell.wait()
        except TimeoutError:
            return

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._ticket += 1
        self._bell.set()
        self._bell = asyncio.Event()

    async def _listen_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                async with await self._database.connect(application_name="tidings follow") as link:
                    await self._listen_while_wanted(link)
            except (psycopg.Error, StoreUnavailable) as error:
                _log.warning("log_listener_lost", error=str(error))
                self._wanted.set()  # whoever waits now has said so before
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen_while_wanted(self, connection: Connection) -> None:
        row = await (await connection.execute("SELECT log_channel()")).fetchone()
        assert row is not None  # noqa: S101 - for the type checker: a SELECT without FROM
        await connection.execute(SQL("LISTEN {}").format(Identifier(row[0])))
        self.ring()  # for what was appended while nobody listened
        while self._wanted.is_set():
            self._wanted.clear()
            async for _ in connection.notifies(timeout=2 * self._poll_interval_s + LINGER_S):
                self.ring()
