"""Timers: commands for later, fired once each, not before the store's clock says so."""

import asyncio
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, Union
from uuid import UUID

import msgspec
import psycopg
import structlog
from msgspec import Struct

from app.eventstore.checkpoints import storable
from app.eventstore.consumer import Connect, backoff_s, pause
from app.eventstore.database import Connection, rows_of
from app.eventstore.failures import is_transient
from app.kernel.decider import Decider
from app.kernel.errors import StoreUnavailable, named_line
from app.kernel.event import Metadata
from app.kernel.metrics import Histogram
from app.kernel.policy import Send
from app.reactions.alone import Alone
from app.reactions.causes import Cause, Caused
from app.reactions.commit import Fired, LostRace, Outcome, commit
from app.reactions.decisions import Deciding

MAX_FIRED_AT_ONCE = 200
LOOK_EVERY_S = 0.25
"""For timers that others set meanwhile; the next one that is known is waited for exactly."""
LEAST_PAUSE_S = 0.005

_DUE = """
SELECT key, set_by, category, thing_id, customer_id, command::text, metadata::text,
    extract(epoch FROM clock_now() - due_at)::float8
FROM timers
WHERE next_try_at <= clock_now() ORDER BY next_try_at, key LIMIT %s
"""
_NEXT = "SELECT extract(epoch FROM min(next_try_at) - clock_now())::float8 FROM timers"
# It is tried again, for it may be code or a setting that is at fault, but holds up no other.
_PUT_OFF = """
UPDATE timers SET error = %s, next_try_at = clock_now() + interval '1 minute'
WHERE key = %s AND set_by = %s
"""

_metadata_decoder = msgspec.json.Decoder(Metadata)
_log = structlog.get_logger(__name__)


class DueTimer(Struct, frozen=True):
    """A timer whose time has come."""

    key: str
    set_by: UUID
    category: str
    thing_id: str
    customer_id: str | None
    command: str
    metadata: str
    lateness_s: float
    """When it was looked at."""


class TimerCommands:
    """Reads the commands of timers."""

    def __init__(self, deciders: Iterable[Decider[Any, Any]]) -> None:
        """Take the deciders that declare them."""
        self._deciders = {decider.category: decider for decider in deciders}
        self._decoders = {
            decider.category: msgspec.json.Decoder(Union[decider.commands])  # noqa: UP007 - made at run time
            for decider in self._deciders.values()
            if decider.commands
        }

    def caused(self, timer: DueTimer) -> Caused:
        """What a timer wants. Raises `LookupError` or `ValidationError` when it is not known."""
        metadata = _metadata_decoder.decode(timer.metadata)
        policy = (metadata.actor or "").removeprefix("policy:")
        cause = Cause(policy, f"{timer.key}:{timer.set_by}", timer.set_by, metadata)
        command = self._decoders[timer.category].decode(timer.command)
        decider = self._deciders[timer.category]
        return Caused(cause, 0, Send(decider, timer.thing_id, command, timer.customer_id))


class Timers:
    """Fires timers as they fall due. Any number of processes may do so; one has the work."""

    def __init__(
        self, connect: Connect, commands: TimerCommands, deciding: Deciding, lateness_s: Histogram
    ) -> None:
        """Nothing connects before `run`."""
        self._lateness_s = lateness_s
        self._connect = connect
        self._commands = commands
        self._deciding = deciding
        self._alone = Alone("timers")
        self._at_once = MAX_FIRED_AT_ONCE

    async def run(self, stop: asyncio.Event) -> None:
        """Fire until told to stop, finishing what is at hand. Failures are retried."""
        failures = 0
        while not stop.is_set():
            try:
                async with await self._connect() as connection:
                    while not stop.is_set():
                        pause_s = await self.fire(connection)
                        failures = 0
                        await pause(stop, pause_s)
            except (psycopg.Error, StoreUnavailable, OSError) as error:
                failures += 1
                _log.warning("timers_wait", error=named_line(error))
                await pause(stop, backoff_s(failures))

    async def fire(self, connection: Connection) -> float:
        """Fire what is due, at most so many; in how many seconds to look again."""
        if not await self._alone.holds(connection):
            return LOOK_EVERY_S
        rows = await rows_of(connection, _DUE, (self._at_once,))
        if not rows:
            ((next_s,),) = await rows_of(connection, _NEXT, ())
            return LOOK_EVERY_S if next_s is None else max(min(next_s, LOOK_EVERY_S), LEAST_PAUSE_S)
        due = [DueTimer(*row) for row in rows]
        try:
            await self._fire(connection, due)
        except LostRace:
            pass  # whoever was faster has moved or cancelled some, or they were decided too late
        except Exception as error:
            if is_transient(error):
                raise
            await self._after_failure(connection, due, error)
        else:
            self._at_once = min(2 * self._at_once, MAX_FIRED_AT_ONCE)
        return 0

    async def _fire(self, connection: Connection, due: Sequence[DueTimer]) -> None:
        looked_at = monotonic()
        commands = [self._commands.caused(timer) for timer in due]
        request = await self._deciding.decide(commands, ())
        fired = [Fired(timer.key, timer.set_by) for timer in due]
        await commit(connection, Outcome(request, fired))
        since_s = monotonic() - looked_at
        for timer in due:
            self._lateness_s.observe(timer.lateness_s + since_s)

    async def _after_failure(
        self, connection: Connection, due: Sequence[DueTimer], error: Exception
    ) -> None:
        """Find the one that fails, by halves, and put it off."""
        if len(due) > 1:
            self._at_once = len(due) // 2
            return
        message = named_line(error)
        _log.error("timer_failed", key=due[0].key, error=message)
        values = (storable(message), due[0].key, due[0].set_by)
        await connection.execute(_PUT_OFF, values)
        self._at_once = MAX_FIRED_AT_ONCE
