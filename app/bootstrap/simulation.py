"""A hand on the clock of a store that is there for a simulation alone, and a look into its work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString

from app.eventstore.clock import ASKED_EVERY
from app.eventstore.database import Connection, Database, Values, rows_of
from app.kernel.errors import TidingsError
from app.reactions.reactor import CONSUMER
from app.reactions.status import ENGAGEMENT
from app.simulation.books import Leftovers

REST_WITHIN_S = 60.0
LOOK_EVERY_S = 0.01

_MOVE = "UPDATE clock SET offset_by = offset_by + %s"
_RESTS = """
SELECT (
        SELECT count(DISTINCT consumer) FROM checkpoints WHERE consumer = ANY (%(consumers)s)
    ) = cardinality(%(consumers)s)
    AND NOT EXISTS (
        SELECT FROM checkpoints WHERE consumer = ANY (%(consumers)s)
            AND position < (SELECT coalesce(max(position), 0) FROM events)
    )
    AND NOT EXISTS (SELECT FROM timers WHERE next_try_at <= clock_now())
    AND NOT EXISTS (SELECT FROM engagement_states WHERE due_at <= clock_now())
"""
_NEXT_TIMER_IN = """
SELECT least(
    (SELECT min(next_try_at) FROM timers), (SELECT min(due_at) FROM engagement_states)
) - clock_now()
"""
_OVERDUE = "SELECT key || coalesce(': ' || error, '') FROM timers WHERE due_at <= clock_now()"
_PARKED = "SELECT consumer || ' ' || key || ': ' || error FROM parked_keys ORDER BY 1"
_NOW = "SELECT clock_now()"


class Restless(TidingsError):
    """The reactor or its timers do not come to an end of their work."""


class StoreHand:
    """Moves the store's time on. It is for a store that nobody else uses."""

    def __init__(self, connection: Connection) -> None:
        """On this connection."""
        self._connection = connection

    async def move(self, by: timedelta) -> None:
        """Let time pass, and wait until processes know that it has."""
        await self._connection.execute(_MOVE, (by,))
        await asyncio.sleep(1.1 * ASKED_EVERY.total_seconds())

    async def rest(self) -> None:
        """Wait until reactor and engine are at the log's end and nothing is due.

        Raises `Restless`.
        """
        deadline = asyncio.get_running_loop().time() + REST_WITHIN_S
        while not await self._value(_RESTS, {"consumers": [CONSUMER, ENGAGEMENT]}):
            if asyncio.get_running_loop().time() > deadline:
                raise Restless(f"the reactor has not come to rest within {REST_WITHIN_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)

    async def next_timer_in(self) -> timedelta | None:
        """How long it takes until the next timer, or the next wait of a rule, is due, if any is."""
        wait: timedelta | None = await self._value(_NEXT_TIMER_IN)
        return wait

    async def now(self) -> datetime:
        """The store's time."""
        now: datetime = await self._value(_NOW)
        return now

    async def leftovers(self) -> Leftovers:
        """What should have been done by now, and was not."""
        overdue = await rows_of(self._connection, _OVERDUE, ())
        parked = await rows_of(self._connection, _PARKED, ())
        return Leftovers([key for (key,) in overdue], [key for (key,) in parked])

    async def _value(self, query: LiteralString, values: Values = ()) -> Any:
        ((value,),) = await rows_of(self._connection, query, values)
        return value


@asynccontextmanager
async def hand_on(database: Database) -> AsyncIterator[StoreHand]:
    """A hand on the clock of a store, for the time of the block."""
    async with await database.connect(application_name="tidings simulate") as connection:
        yield StoreHand(connection)
