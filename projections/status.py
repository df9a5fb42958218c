"""How the projections are doing: for people, and for metrics."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from psycopg.rows import class_row

from app.eventstore.database import Connection
from projections.generations import BUILDING
from projections.projection import Projection

BEHIND_AFTER_S = 5.0
"""A lag that is no longer than this is none that anybody would have to do something about."""

State = Literal["running", "behind", "failing", "rebuilding", "building"]


class GenerationStatus(Struct, frozen=True):
    """One set of tables."""

    name: Annotated[str, Meta(examples=["timeline_g3"])]
    projection: Annotated[str, Meta(examples=["timeline"])]
    generation: Annotated[int, Meta(examples=[3])]
    definition_version: int
    state: Annotated[str, Meta(examples=["ready"])]
    """building, ready, differing or scratch; see `projections.generations`."""
    phase: Annotated[str | None, Meta(examples=[None])]
    """What its rebuild is at: loading, indexing, catching up or verifying; None: it is built."""
    is_read: bool
    """Whether queries of its definition's version read it."""
    position: Annotated[int, Meta(examples=[1042])]
    lag_events: Annotated[int, Meta(examples=[0])]
    lag_seconds: Annotated[float, Meta(examples=[0.0])]
    """How long the oldest event that is not applied yet has been recorded; 0: there is none."""
    moved_at: datetime
    shards: int
    parked_keys: Annotated[int, Meta(examples=[0])]
    """How many keys are left out, such as customers, from an event on that failed."""
    last_error: str | None


class ProjectionStatus(Struct, frozen=True):
    """One projection, as this code defines it."""

    name: str
    definition_version: int
    generations: Sequence[GenerationStatus]
    """Of every version of the definition, oldest first."""
    looked_at: datetime
    """The store's time."""

    @property
    def read(self) -> GenerationStatus | None:
        """The generation that queries read; None until one was built."""
        for generation in self.generations:
            if generation.is_read and generation.definition_version == self.definition_version:
                return generation
        return None

    @property
    def state(self) -> State:
        """The state in a word.

        building: queries have nothing to read yet; failing: it stands before something that has to
        be put right; rebuilding: beside the one that queries read; behind: by more than 5 seconds.
        """
        if self.read is None:
            return "building"
        if self.read.last_error is not None:
            return "failing"
        if self.read.lag_seconds > BEHIND_AFTER_S:
            return "behind"
        is_rebuilt = any(generation.state == BUILDING for generation in self.generations)
        return "rebuilding" if is_rebuilt else "running"


# A generation without a checkpoint is being dropped. What several shards share is as far as the
# hindmost of them.
_GENERATIONS = """
WITH c AS (
    SELECT consumer, min(position) AS position, min(moved_at) AS moved_at,
        count(*) AS shards, max(last_error) AS last_error
    FROM checkpoints GROUP BY consumer
)
SELECT format('%s_g%s', g.name, g.generation) AS name, g.name AS projection, g.generation,
    g.definition_version, g.state, g.phase, p.generation IS NOT NULL AS is_read, c.position,
    greatest(log.head - c.position, 0) AS lag_events,
    greatest(coalesce(extract(epoch FROM clock_now() - (
        SELECT recorded_at FROM events WHERE position = c.position + 1
    )), 0), 0)::double precision AS lag_seconds,
    c.moved_at, c.shards, (
        SELECT count(*) FROM parked_keys AS parked WHERE parked.consumer = c.consumer
    ) AS parked_keys, c.last_error
FROM projection_generations g
JOIN c ON c.consumer = format('%s_g%s', g.name, g.generation)
LEFT JOIN projection_pointers p
    ON p.name = g.name AND p.definition_version = g.definition_version
    AND p.generation = g.generation
CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM events) AS log
ORDER BY g.name, g.generation
"""


async def statuses(
    connection: Connection, projections: Sequence[Projection[Any]]
) -> list[ProjectionStatus]:
    """The status of each projection, in their order."""
    async with connection.cursor(row_factory=class_row(GenerationStatus)) as cursor:
        await cursor.execute(_GENERATIONS)
        generations = await cursor.fetchall()
    row = await (await connection.execute("SELECT clock_now()")).fetchone()
    assert row is not None  # noqa: S101 - for the type checker: a SELECT without FROM
    return [
        ProjectionStatus(
            projection.name,
            projection.version,
            [found for found in generations if found.projection == projection.name],
            row[0],
        )
        for projection in projections
    ]


def rates_per_s(before: ProjectionStatus, now: ProjectionStatus) -> dict[str, float]:
    """Events a second that each generation moved by between two looks, by its name.

    One that is further back than it was did not move: a crash of the server took back what it had,
    or it is another of the same name, after one that differed.
    """
    seconds = (now.looked_at - before.looked_at).total_seconds()
    if seconds <= 0:
        return {}
    was = {generation.name: generation.position for generation in before.generations}
    return {
        generation.name: max(generation.position - was[generation.name], 0) / seconds
        for generation in now.generations
        if generation.name in was
    }
