"""The checkpointed loop that every consumer of the log shares: look, work, wait, and never give up.

Crash semantics: a consumer has no state of its own but its connection, and what a step does is
committed together with the checkpoint (see `app.eventstore.batch`). So any failure is met in one
way: drop the connection, pause, connect again, and do the same step again.

Failures are of three sorts. The server's state (connections lost, deadlocks, resources, shutdowns,
timeouts) passes: the pauses begin short and grow. A mistake of the consumer's own (a table that is
not there, SQL that is none) fails with any event: it is noted at the checkpoint, where people look
for it, and tried again slowly. Whatever else fails, fails by the content of an event: batches are
halved down to that one, its key is parked (`app.eventstore.parking`), and everyone else's events go
on.

An event may also be the death of whoever works on it, who then cannot tell. A process counts itself
at the checkpoint before its first batch, and each batch that passes takes one off the count; so its
successor finds how often in a row somebody has died here, and takes a smaller batch each time. A
death counts against an event only when it is alone, and has been so twice. A connection that is
lost in the middle of a batch is held to be such a death too, of the server's side.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import psycopg
import structlog

from app.eventstore.batch import Claim
from app.eventstore.checkpoints import note_error, positions_of, storable
from app.eventstore.database import Connection
from app.eventstore.doubt import Doubt
from app.eventstore.failures import is_loss, is_mistake, is_transient
from app.eventstore.parking import MAX_PARKED_KEYS, parked_count
from app.eventstore.wakeups import Wakeups
from app.kernel.errors import StoreUnavailable, TidingsError, named_line

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
STAND_BY_S = 0.25
"""Between two looks whether others still do the work: for that, no event is of interest."""
CONTENT_RETRY_AFTER = timedelta(seconds=5)

# Before any work, and only where there is some. Whoever has the checkpoint now is not waited for.
_COUNT_ATTEMPT = """
UPDATE checkpoints SET deaths = deaths + 1
WHERE (consumer, shard) IN (
    SELECT consumer, shard FROM checkpoints
    WHERE consumer = %s AND shard = %s AND position < (SELECT max(position) FROM events)
    FOR UPDATE SKIP LOCKED
)
RETURNING deaths - 1, position
"""

_log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[Connection]]
Step = Callable[[Connection, int], Awaitable[bool | None]]
"""Does the next piece of work, of at most so many events; answers whether there is more at once.

None: it is another process that does it at the moment.
"""


class Consumer:
    """One checkpoint's loop. Any number of them, anywhere, may share a checkpoint."""

    def __init__(
        self,
        claim: Claim,
        connect: Connect,
        step: Step,
        *,
        content_retry_after: timedelta = CONTENT_RETRY_AFTER,
        idle_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        """Nothing connects before `run`; the step is given the one connection of the loop.

        `idle_s`: for how long no step is taken when no events come; None: as long as wakeups say.
        """
        self._idle_s = idle_s
        self._claim = claim
        self._connect = connect
        self._step = step
        self._content_retry_s = content_retry_after.total_seconds()
        self._connection: Connection | None = None
        self._doubt = Doubt(claim.max_batch_events)
        self._is_counted = False
        self._suspected_after: int | None = None
        """Where the checkpoint stood before the event behind it was tried alone."""

    async def run(self, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Step until told to stop, finishing the step at hand, or until the checkpoint is gone."""
        failures = 0
        try:
            while not stop.is_set():
                ticket = wakeups.ticket
                try:
                    more = await self._next()
                except Exception as error:
                    failures += 1
                    pause_s = await self._after_failure(error, failures)
                    if pause_s is None:
                        return
                    await pause(stop, pause_s)
                else:
                    failures = 0
                    if more is None:
                        await pause(stop, STAND_BY_S)
                    elif not more:
                        await _wait_for_events(wakeups, ticket, stop, self._idle_s())
        finally:
            await self._close()

    async def run_to_the_end(self) -> None:
        """Step until there is nothing more to do. Raises what another look would not mend."""
        try:
            while True:
                try:
                    if not await self._next():
                        return
                except TidingsError:
                    raise
                except Exception as error:
                    if is_transient(error) or await self._after_failure(error, 1) != 0:
                        raise
        finally:
            await self._close()

    async def _next(self) -> bool | None:
        """One step; raises what it raises, after which the connection is of no further use."""
        connection = await self._connected()
        if not self._is_counted:
            await self._count_attempt(connection)
        if self._doubt.is_alone:
            await self._suspect(connection)
        if self._doubt.is_certain:
            await self._park(connection, "whoever works on it is ended by it")
        more = await self._step(connection, self._doubt.max_events)
        if more is None:
            return None
        self._doubt.passed()
        self._suspected_after = None
        return more

    async def _suspect(self, connection: Connection) -> None:
        """Note which event stands alone. Others may have left behind the one that did before."""
        positions = await positions_of(connection, self._claim.checkpoint.consumer)
        position = positions.get(self._claim.checkpoint)
        if self._suspected_after not in {None, position}:
            self._doubt.passed()
        self._suspected_after = position

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._connect()
        return self._connection

    async def _count_attempt(self, connection: Connection) -> None:
        cursor = await connection.execute(_COUNT_ATTEMPT, self._claim.checkpoint)
        row = await cursor.fetchone()
        if row is not None:
            self._is_counted = True
            failures, self._suspected_after = row
            self._doubt.failed(times=failures)

    async def _after_failure(self, error: Exception, failures: int) -> float | None:
        """How long to pause; None when the checkpoint turns out to be gone."""
        was_connected = self._connection is not None
        await self._close()
        message = named_line(error)
        consumer, shard = self._claim.checkpoint
        _log.warning("consumer_failed", consumer=consumer, shard=shard, error=message)
        if is_transient(error):
            if was_connected and is_loss(error):
                self._doubt.failed()
            return backoff_s(failures)
        try:
            return await self._after_refusal(error, message)
        except (psycopg.Error, StoreUnavailable):
            await self._close()
            return backoff_s(failures)

    async def _after_refusal(self, error: Exception, message: str) -> float | None:
        """The same for what would fail again: what failed is sought, and set aside."""
        connection = await self._connected()
        if not is_mistake(error):
            if not self._doubt.is_alone:
                self._doubt.failed()
                return 0
            if await self._park(connection, message):
                return 0
        if not await note_error(connection, self._claim.checkpoint, message):
            return None
        return self._content_retry_s

    async def _park(self, connection: Connection, message: str) -> bool:
        """Set the suspect's key aside; False when so many are that the fault is elsewhere.

        Whoever else works here may have done so already, and the next event is another one then.
        """
        consumer, shard = self._claim.checkpoint
        if await parked_count(connection, consumer) >= MAX_PARKED_KEYS:
            return False
        span = await self._claim.park(connection, storable(message), after=self._suspected_after)
        self._doubt.passed()
        if span is not None:
            _log.error(
                "key_parked", consumer=consumer, shard=shard, position=span.upto, error=message
            )
        return True


def backoff_s(failures: int) -> float:
    """How long to pause after so many failures in a row, with jitter so that processes part."""
    longest: float = min(FIRST_PAUSE_S * 2 ** min(failures, 10), LONGEST_PAUSE_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


async def pause(stop: asyncio.Event, duration_s: float) -> None:
    """Sleep, but no longer than until the stop."""
    try:
        async with asyncio.timeout(duration_s):
            await stop.wait()
    except TimeoutError:
        return


async def _wait_for_events(
    wakeups: Wakeups, ticket: int, stop: asyncio.Event, at_most_s: float | None
) -> None:
    """Wait as `Wakeups.wait` does, but no longer than until the stop."""
    waits = [asyncio.ensure_future(wakeups.wait(ticket)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
