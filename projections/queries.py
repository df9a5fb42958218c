"""How the projections are doing, and what they have left out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import asdict
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing
from app.eventstore.parking import ParkedKey
from app.kernel.errors import NotFound
from projections.lag import Rates
from projections.parked import parked_of
from projections.projection import Projection
from projections.status import GenerationStatus, ProjectionStatus, State, statuses


class GenerationView(GenerationStatus, frozen=True):
    """One set of tables, and how it gets on."""

    rate: Annotated[float | None, Meta(examples=[250.0])]
    """Events a second of late; null until this process has looked twice, which takes seconds."""
    percent: Annotated[float, Meta(examples=[100.0])]
    """How much of the log is in it."""
    seconds_left: Annotated[float | None, Meta(examples=[0.0])]
    """Until all of the log is in it, at this rate; null where it does not move, or nobody knows."""


class ProjectionView(Struct, frozen=True):
    """A projection, as this server's code defines it."""

    name: Annotated[str, Meta(examples=["timeline"])]
    definition_version: int
    state: State
    """In a word: ``running``; ``behind`` by more than 5 seconds; ``failing``, see the last error;
    ``rebuilding`` beside what queries read; ``building``, so that queries have nothing to read yet.
    """
    rate: Annotated[float | None, Meta(examples=[250.0])]
    """That of the generation that queries read; null where there is none."""
    generations: Sequence[GenerationView]
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
        return ProjectionList([_view(status, self._rates) for status in found])

    async def parked(self, name: str, *, limit: int) -> ParkedKeyList:
        """What the generation that queries read leaves out.

        Raises `NotFound` for a projection that there is not, or `StoreUnavailable`.
        """
        projection = self._projections.get(name)
        if projection is None:
            raise NotFound(f"there is no projection {name!r}")
        keys = await borrowing(self._pool, lambda connection: parked_of(connection, projection))
        return ParkedKeyList(keys[:limit])


def _view(status: ProjectionStatus, rates: Rates) -> ProjectionView:
    return ProjectionView(
        status.name,
        status.definition_version,
        status.state,
        rates.of(status.read.name) if status.read else None,
        [_generation_view(each, rates.of(each.name)) for each in status.generations],
        status.looked_at,
    )


def _generation_view(status: GenerationStatus, rate: float | None) -> GenerationView:
    head = status.position + status.lag_events
    if status.lag_events == 0:
        seconds_left: float | None = 0.0
    else:
        seconds_left = status.lag_events / rate if rate else None
    return GenerationView(
        **asdict(status),
        rate=rate,
        percent=100 * status.position / head if head else 100.0,
        seconds_left=seconds_left,
    )
