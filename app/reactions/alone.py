"""One process at a time: others stand by, and take over when it ends or falls silent.

Several at the same work would do no harm, for one commit wins; it would only be done several times.
The lock is the session's, and the server ends a session that is silent for `SILENT_FOR`.
"""

import asyncio
from datetime import timedelta
from time import monotonic
from weakref import WeakSet

from app.eventstore.database import Connection, rows_of

SILENT_FOR = timedelta(seconds=30)
ASK_AGAIN_AFTER_S = 0.25
SESSION_ENDS_WITHIN_S = 0.05

SESSION = f"SET idle_session_timeout = {SILENT_FOR // timedelta(milliseconds=1)};"
"""What a session that is to hold the lock is set up with."""
_TRY = "SELECT pg_try_advisory_lock(log_lock_key() # hashtextextended(%s, 0))"


class Alone:
    """The right to do some work, which one session in the store has at a time."""

    def __init__(self, work: str) -> None:
        """Take the work's name."""
        self._work = work
        self._holders: WeakSet[Connection] = WeakSet()
        self._asked_at = -ASK_AGAIN_AFTER_S
        self._had_it = False

    async def holds(self, connection: Connection) -> bool:
        """Whether the connection's session has it, or gets it now; seldom asks in vain."""
        if connection in self._holders:
            return True
        if monotonic() - self._asked_at < ASK_AGAIN_AFTER_S:
            return False
        is_granted = await self._ask(connection)
        if not is_granted and self._had_it:  # the session that had it is ending
            await asyncio.sleep(SESSION_ENDS_WITHIN_S)
            is_granted = await self._ask(connection)
        self._had_it = is_granted
        if is_granted:
            self._holders.add(connection)
        else:
            self._asked_at = monotonic()
        return is_granted

    async def _ask(self, connection: Connection) -> bool:
        ((is_granted,),) = await rows_of(connection, _TRY, (self._work,))
        return bool(is_granted)
