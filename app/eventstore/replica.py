"""A streaming replica of a store's server, where queries read what has been replayed so far."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, Database, borrowing
from app.kernel.errors import StoreUnavailable, WrongReplica

_log = structlog.get_logger(__name__)

# A standby writes on no timeline. Whatever was promoted writes on another one than its primary.
_ORIGIN = """
SELECT (SELECT system_identifier FROM pg_control_system()),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END
"""


class _Origin(NamedTuple):
    """What a server and all that replicate it have in common."""

    cluster: int
    database: int
    timeline: str | None
    """That it writes on; None for a standby."""


class Replica:
    """The replica of a store's server. The server itself is taken for one, too."""

    def __init__(
        self, pool: AsyncConnectionPool[Connection], primary: AsyncConnectionPool[Connection]
    ) -> None:
        """Take a pool of its connections, and one of those of the server that it replicates."""
        self.pool = pool
        self._primary = primary
        self._known: _Origin | None = None

    async def check(self, connection: Connection) -> None:
        """Refuse a connection to a server that does not replicate the store's.

        The store's server is asked only when it seems to have changed. Raises `WrongReplica`, or
        `StoreUnavailable` when it cannot be asked.
        """
        found = await _origin(connection)
        if self._known is None or _fault(found, self._known):
            self._known = await borrowing(self._primary, _origin)
        if fault := _fault(found, self._known):
            raise WrongReplica(f"the server of TIDINGS_READ_DATABASE_URL {fault}")

    async def ready(self) -> None:
        """Return when it can be read from. Raises `WrongReplica` or `StoreUnavailable`."""
        await borrowing(self.pool, self.check)


@asynccontextmanager
async def opened_replica(
    database: Database,
    primary: AsyncConnectionPool[Connection],
    *,
    max_size: int,
    settings: Mapping[str, str],
) -> AsyncIterator[Replica]:
    """A replica for the time of the block, with a pool of such sessions.

    It may be away, now or later, and come back. Raises `WrongReplica` for one that is there.
    """
    async with database.pool(max_size=max_size, settings=settings) as pool:
        replica = Replica(pool, primary)
        try:
            async with await database.connect() as connection:
                await replica.check(connection)
        except StoreUnavailable as error:
            _log.warning("replica_away", error=str(error))
        yield replica


async def _origin(connection: Connection) -> _Origin:
    [row] = await (await connection.execute(_ORIGIN)).fetchall()
    return _Origin(*row)


def _fault(found: _Origin, primary: _Origin) -> str | None:
    """Why what was found there is no replica of the primary; None when it is one."""
    if (found.cluster, found.database) != (primary.cluster, primary.database):
        return "holds another database than the store's"
    if found.timeline not in {None, primary.timeline}:
        return "no longer follows the store's: it was promoted"
    return None
