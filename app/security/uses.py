"""When each API key was last used: told now and then, not with every request."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch
from app.kernel.errors import StoreUnavailable, first_line

TOLD_EVERY = timedelta(seconds=5)

# In the order of the ids, for several processes do so at once.
_NOTE = """
INSERT INTO api_key_uses AS known (key_id, used_at)
SELECT key_id, used_at FROM unnest(%s::text[], %s::timestamptz[]) AS used (key_id, used_at)
ORDER BY key_id
ON CONFLICT (key_id) DO UPDATE SET used_at = greatest(known.used_at, excluded.used_at)
RETURNING key_id
"""

_log = structlog.get_logger(__name__)


class KeyUses(Protocol):
    """Remembers when keys were used."""

    def note(self, key_id: str, at: datetime) -> None:
        """Take in a use; told to others within seconds, or never when the process dies before."""
        ...

    async def all(self) -> dict[str, datetime]:
        """The last use of each key that was used, as far as it was told."""
        ...


class StoredKeyUses:
    """Uses in the store's table `api_key_uses`."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        """Take the store's connections."""
        self._pool = pool
        self._untold: dict[str, datetime] = {}

    def note(self, key_id: str, at: datetime) -> None:
        """See `KeyUses.note`."""
        self._untold[key_id] = at

    async def all(self) -> dict[str, datetime]:
        """See `KeyUses.all`."""
        return dict(await fetch(self._pool, "SELECT key_id, used_at FROM api_key_uses", ()))

    async def tell(self) -> None:
        """Write down what was noted; what cannot be written is kept for the next time."""
        untold, self._untold = self._untold, {}
        if not untold:
            return
        try:
            values: Sequence[object] = (list(untold), list(untold.values()))
            await fetch(self._pool, _NOTE, values)
        except (StoreUnavailable, psycopg.Error) as error:  # such as a server that is read-only
            self._untold = untold | self._untold
            _log.warning("key_uses_untold", error=first_line(error))


@asynccontextmanager
async def told_uses(uses: StoredKeyUses) -> AsyncIterator[StoredKeyUses]:
    """The uses, told every few seconds for the time of the block, and at its end."""

    async def tell_for_ever() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY.total_seconds())
            await uses.tell()

    telling = asyncio.create_task(tell_for_ever())
    try:
        yield uses
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        await uses.tell()
