"""The checkpointed loop that every consumer of the log shares: look, work, wait, and never give up.

Crash semantics: a consumer has no state of its own but its connection, and what a step does is
committed together with the checkpoint (see `app.eventstore.batch`). So any failure is met in one
way: drop the connection, pause, connect again, and do the same step again.

Failures are of two sorts. The server's state (connections lost, deadlocks, resources, shutdowns,
timeouts) passes: the pauses begin short and grow. Whatever else fails, fails by the content of the
events or by our own mistake and would fail again: it is noted at the checkpoint, where people look
for it, and tried again slowly.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import psycopg
import structlog

from app.eventstore.batch import Checkpoint
from app.eventstore.database import Connection
from app.eventstore.wakeups import Wakeups
from app.kernel.errors import StoreUnavailable

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
CONTENT_RETRY_AFTER = timedelta(seconds=5)
MAX_ERROR_CHARACTERS = 1000

# Connections, rollbacks (serialisation, deadlock), resources, objects in use (lock timeouts),
# intervention (shutdowns, cancelled and timed out statements), the system itself.
_TRANSIENT_CLASSES = {"08", "40", "53", "55", "57", "58"}
_IDLE_IN_TRANSACTION_TIMEOUT = "25P03"

_ENSURE = """
INSERT INTO checkpoints (consumer, shard, position, moved_at) VALUES (%s, %s, %s, clock_now())
ON CONFLICT DO NOTHING
"""
_NOTE_ERROR = """
UPDATE checkpoints SET last_error = %s WHERE consumer = %s AND shard = %s RETURNING 1
"""

_log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[Connection]]
Step = Callable[[Connection], Awaitable[bool]]
"""Does the next piece of work; answers whether there is more to be done at once."""


class Consumer:
    """One checkpoint's loop. Any number of them, anywhere, may share a checkpoint."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        connect: Connect,
        step: Step,
        *,
        content_retry_after: timedelta = CONTENT_RETRY_AFTER,
    ) -> None:
        """Nothing connects before `run`; the step is given the one connection of the loop."""
        self._checkpoint = checkpoint
        self._connect = connect
        self._step = step
        self._content_retry_s = content_retry_after.total_seconds()
        self._connection: Connection | None = None

    async def run(self, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Step until told to stop, finishing the step at hand, or until the checkpoint is gone."""
        failures = 0
        try:
            while not stop.is_set():
                ticket = wakeups.ticket
                try:
                    more = await self._step(await self._connected())
                except Exception as error:
                    failures += 1
                    pause_s = await self._after_failure(error, failures)
                    if pause_s is None:
                        return
                    await pause(stop, pause_s)
                else:
                    failures = 0
                    if not more:
                        await _wait_for_events(wakeups, ticket, stop)
        finally:
            await self._disconnect()

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    async def _after_failure(self, error: Exception, failures: int) -> float | None:
        """How long to pause; None when the checkpoint turns out to be gone."""
        await self._disconnect()
        message = f"{type(error).__name__}: {error}".splitlines()[0]  # below stand values
        pause_s = backoff_s(failures)
        if not is_transient(error):
            try:
                if not await note_error(await self._connected(), self._checkpoint, message):
                    return None
            except (psycopg.Error, StoreUnavailable):
                await self._disconnect()
            else:
                pause_s = self._content_retry_s
        consumer, shard = self._checkpoint
        _log.warning("consumer_failed", consumer=consumer, shard=shard, error=message)
        return pause_s


def is_transient(error: Exception) -> bool:
    """Whether the server's state is at fault, and not what the step worked on."""
    if isinstance(error, StoreUnavailable | OSError):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:  # the connection was lost before the server could say anything
        return isinstance(error, psycopg.OperationalError)
    return (
        error.sqlstate[:2] in _TRANSIENT_CLASSES or error.sqlstate == _IDLE_IN_TRANSACTION_TIMEOUT
    )


def backoff_s(failures: int) -> float:
    """How long to pause after so many failures in a row, with jitter so that processes part."""
    longest: float = min(FIRST_PAUSE_S * 2 ** min(failures, 10), LONGEST_PAUSE_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


async def ensure_checkpoint(
    connection: Connection, checkpoint: Checkpoint, *, position: int = 0
) -> None:
    """Make the checkpoint where it is missing; the consumer begins after the position."""
    await connection.execute(_ENSURE, (*checkpoint, position))


async def note_error(connection: Connection, checkpoint: Checkpoint, message: str | None) -> bool:
    """Show at the checkpoint why it does not move; whether there is such a checkpoint."""
    # PostgreSQL stores no NUL; what failed may well have held one.
    shown = message and message.replace("\0", "")[:MAX_ERROR_CHARACTERS]
    cursor = await connection.execute(_NOTE_ERROR, (shown, *checkpoint))
    return await cursor.fetchone() is not None


async def pause(stop: asyncio.Event, duration_s: float) -> None:
    """Sleep, but no longer than until the stop."""
    try:
        async with asyncio.timeout(duration_s):
            await stop.wait()
    except TimeoutError:
        return


async def _wait_for_events(wakeups: Wakeups, ticket: int, stop: asyncio.Event) -> None:
    """Wait as `Wakeups.wait` does, but no longer than until the stop."""
    waits = [asyncio.ensure_future(wakeups.wait(ticket)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
