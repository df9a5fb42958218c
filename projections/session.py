"""The sessions that projectors and rebuilds work in."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.eventstore.batch import ShardKey, open_session
from app.eventstore.database import Connection, Database
from app.eventstore.upcasting import Upcaster
from app.kernel.event import EventCatalogue


@dataclass(frozen=True)
class Log:
    """The log as this process's code reads it."""

    database: Database
    catalogue: EventCatalogue
    """The built-in events that this code knows; it waits before any other."""
    upcasters: Sequence[Upcaster] = ()

    async def connect(self, key: ShardKey = ShardKey.NONE) -> Connection:
        """A session with the relation `batch`, by this key. Raises `StoreUnavailable`.

        Its commits do not wait for the disk: rows and checkpoint would be lost together, and are
        made again from the log.
        """
        return await open_session(
            self.database,
            self.upcasters,
            key=key,
            application_name="tidings projector",
            settings="SET synchronous_commit = off;",
        )
