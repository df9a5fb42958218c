"""A hand on the clock of a store that is there for a simulation alone, and a look into its work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString

from app.delivery.deliveries import CONSUMER as COURIER
from app.eventstore.clock import ASKED_EVERY
from app.eventstore.database import Connection, Database, rows_of
from app.kernel.errors import TidingsError
from app.reactions.reactor import CONSUMER as REACTOR
from app.reactions.status import ENGAGEMENT
from app.simulation.books import Leftovers

REST_WITHIN_S = 60.0
LOOK_EVERY_S = 0.01

_CONSUMERS = (REACTOR, ENGAGEMENT, COURIER)
_MOVE = "UPDATE clock SET offset_by = offset_by + %s"
_RESTS = """
SELECT (
        SELECT count(DISTINCT consumer) = cardinality(%(consumers)s::text[])
            AND min(position) >= (SELECT coalesce(max(position), 0) FROM events)
        FROM checkpoints WHERE consumer = ANY (%(consumers)s)
    )
    AND NOT EXISTS (SELECT FROM timers WHERE next_try_at <= clock_now())
    AND NOT EXISTS (SELECT FROM engagement_states WHERE due_at <= clock_now())
    AND NOT EXISTS (
        SELECT FROM deliveries
        WHERE state = 'sending' OR state = 'waiting' AND next_try_at <= clock_now()
    )
"""
_NEXT_IN = """
SELECT least(
    (SELECT min(next_try_at) FROM timers),
    (SELECT min(due_at) FROM engagement_states),
    (SELECT min(next_try_at) FROM deliveries WHERE state = 'waiting')
) - clock_now()
"""
_OVERDUE = """
SELECT key || coalesce(': ' || error, '') FROM timers WHERE due_at <= clock_now()
UNION ALL
SELECT 'engagement of ' || key FROM engagement_states WHERE due_at <= clock_now()
"""
_PARKED = "SELECT consumer || ' ' || key || ': ' || error FROM parked_keys ORDER BY 1"
_NOW = "SELECT clock_now()"


class Restless(TidingsError):
    """The reactor, the engine or the courier do not come to an end of their work."""


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
        """Wait until all are at the log's end and nothing is due. Raises `Restless`."""
        deadline = asyncio.get_running_loop().time() + REST_WITHIN_S
        while not await self._value(_RESTS, {"consumers": list(_CONSUMERS)}):
            if asyncio.get_running_loop().time() > deadline:
                raise Restless(f"reactions have not come to rest within {REST_WITHIN_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)

    async def next_timer_in(self) -> timedelta | None:
        """How long it takes until the next timer is due, if there is one."""
        wait: timedelta | None = await self._value(_NEXT_IN)
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

    async def _value(self, query: LiteralString, values: dict[str, list[str]] | None = None) -> Any:
        ((value,),) = await rows_of(self._connection, query, values or {})
        return value


@asynccontextmanager
async def hand_on(database: Database) -> AsyncIterator[StoreHand]:
    """A hand on the clock of a store, for the time of the block."""
    async with await database.connect(application_name="tidings simulate") as connection:
        yield StoreHand(connection)
