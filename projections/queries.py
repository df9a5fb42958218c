"""How the projections are doing, and what they have left out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing
from app.eventstore.parking import ParkedKey
from app.kernel.errors import NotFound
from projections.lag import Rates
from projections.parked import parked_of
from projections.projection import Projection
from projections.status import GenerationStatus, State, statuses


class ProjectionView(Struct, frozen=True):
    """A projection, as this server's code defines it."""

    name: Annotated[str, Meta(examples=["timeline"])]
    definition_version: int
    state: State
    """In a word: ``running``; ``behind`` by more than 5 seconds; ``failing``, see the last error;
    ``rebuilding`` beside what queries read; ``building``, so that queries have nothing to read yet.
    """
    rate: Annotated[float | None, Meta(examples=[250.0])]
    """Events a second of late; null until this process has looked twice, which takes seconds."""
    generations: Sequence[GenerationStatus]
    """The sets of its tables, oldest first, those of other versions of the definition included."""
    looked_at: datetime
    """The store's time."""


class ProjectionList(Struct, frozen=True):
    """All projections."""

    items: Sequence[ProjectionView]


class ParkedKeyList(Struct, frozen=True):
    """Parked keys, by the first event of each that is left out."""

    items: Sequence[ParkedKey]


class ProjectionQueries:
    """The projections of a store."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        projections: Sequence[Projection[Any]],
        rates: Rates,
    ) -> None:
        """Take the pool to read with, and who knows how fast they move."""
        self._pool = pool
        self._projections = {projection.name: projection for projection in projections}
        self._rates = rates

    async def all(self) -> ProjectionList:
        """Each of them, as it is now. Raises `StoreUnavailable`."""
        projections = tuple(self._projections.values())
        found = await borrowing(self._pool, lambda connection: statuses(connection, projections))
        return ProjectionList(
            [
                ProjectionView(
                    status.name,
                    status.definition_version,
                    status.state,
                    self._rates.of(status.name),
                    status.generations,
                    status.looked_at,
                )
                for status in found
            ]
        )

    async def parked(self, name: str, *, limit: int) -> ParkedKeyList:
        """What the generation that queries read leaves out.

        Raises `NotFound` for a projection that there is not, or `StoreUnavailable`.
        """
        projection = self._projections.get(name)
        if projection is None:
            raise NotFound(f"there is no projection {name!r}")
        keys = await borrowing(self._pool, lambda connection: parked_of(connection, projection))
        return ParkedKeyList(keys[:limit])
