"""Generations: sets of a projection's tables, each with a checkpoint of its own.

A generation is *building* until queries may read it, then *ready*; the pointer of each version of a
definition says which one they do read. One that a rebuild found to be *differing* from what it was
compared with stays as it is, to be looked at; a *scratch* one is made to compare with. Nobody reads
these two or keeps them up to date, and whoever rebuilds or verifies next drops them.

No statement here changes a table that queries read: new tables are made beside it, one pointer row
moves, and tables that nobody reads any more are dropped (`projections.dropping`).
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import structlog
from psycopg.sql import SQL, Identifier, Literal

from app.eventstore.checkpoints import ensure_checkpoints
from app.eventstore.database import Connection
from projections.options import NO_OPTIONS, RebuildOptions, add_options
from projections.projection import Generation, Projection

BUILDING = "building"
READY = "ready"
DIFFERING = "differing"
SCRATCH = "scratch"

_log = structlog.get_logger(__name__)


class GenerationRow(NamedTuple):
    """What is known of one generation."""

    name: str
    """The projection's."""
    generation: int
    definition_version: int
    state: str


_ALL = "SELECT name, generation, definition_version, state FROM projection_generations"

_INSERT = """
INSERT INTO projection_generations (name, generation, definition_version, state, made_at)
VALUES (%s, %s, %s, %s, clock_now())
"""
_POINT = """
INSERT INTO projection_pointers (name, definition_version, generation) VALUES (%s, %s, %s)
ON CONFLICT (name, definition_version) DO UPDATE SET generation = excluded.generation
"""
_POINTED_TO = """
SELECT generation FROM projection_pointers WHERE name = %s AND definition_version = %s
"""
_READ_SO_FAR = """
SELECT generation FROM projection_pointers WHERE name = %s AND definition_version <= %s
ORDER BY definition_version DESC LIMIT 1
"""
_SET_STATE = """
UPDATE projection_generations SET state = %s, phase = NULL WHERE name = %s AND generation = %s
"""
_SET_PHASE = "UPDATE projection_generations SET phase = %s WHERE name = %s AND generation = %s"


async def all_generations(connection: Connection) -> list[GenerationRow]:
    """Every generation of every projection, oldest first."""
    cursor = await connection.execute(f"{_ALL} ORDER BY name, generation")
    return [GenerationRow(*row) for row in await cursor.fetchall()]


async def read_so_far(connection: Connection, projection: Projection[Any]) -> int | None:
    """The generation that queries of this code read, or else those of the newest older code."""
    cursor = await connection.execute(_READ_SO_FAR, (projection.name, projection.version))
    row = await cursor.fetchone()
    return row[0] if row else None


async def pointed_to(connection: Connection, projection: Projection[Any]) -> Generation[Any] | None:
    """The generation that queries of this version of the definition read; None: not built yet."""
    cursor = await connection.execute(_POINTED_TO, (projection.name, projection.version))
    row = await cursor.fetchone()
    return projection.generation(row[0]) if row else None


async def kept_up_to_date(
    connection: Connection, projection: Projection[Any]
) -> list[Generation[Any]]:
    """Those of this version of the definition that are built, oldest first."""
    return [
        projection.generation(row.generation)
        for row in await _generations_of(connection, projection)
        if row.definition_version == projection.version and row.state == READY
    ]


async def built_versions(connection: Connection) -> set[tuple[str, int]]:
    """The projections, by name and version of the definition, that queries can read."""
    cursor = await connection.execute("SELECT name, definition_version FROM projection_pointers")
    return set(await cursor.fetchall())


async def unbuilt(
    connection: Connection, projections: Iterable[Projection[Any]]
) -> list[Projection[Any]]:
    """Those that somebody began to rebuild, and those whose definition is new.

    Not again what has turned out to differ: people have to look at that.
    """
    states = {
        (row.name, row.definition_version, row.state) for row in await all_generations(connection)
    }
    built = await built_versions(connection)
    found: list[Projection[Any]] = []
    for projection in projections:
        wanted = (projection.name, projection.version)
        is_new = wanted not in built and (*wanted, DIFFERING) not in states
        if is_new or (*wanted, BUILDING) in states:
            found.append(projection)
    return found


async def make_first(
    connection: Connection, projections: Sequence[Projection[Any]], *, shards: int = 1
) -> None:
    """Give projections that have no generation at all their first one: ready, and pointed to.

    Nothing older could serve meanwhile; queries see how far behind it is. A new version of a
    definition is not served before it is built.
    """
    known = {row.name for row in await all_generations(connection)}
    for projection in projections:
        if projection.name not in known:
            async with _locked(connection, projection):
                rows = await all_generations(connection)
                if all(row.name != projection.name for row in rows):
                    await _make_first(connection, projection, shards)


async def _make_first(connection: Connection, projection: Projection[Any], shards: int) -> None:
    generation = await _create(
        connection, projection.generation(1), READY, projection.shards(shards)
    )
    for statement in generation.create_indexes():
        await connection.execute(statement)
    await connection.execute(_POINT, (projection.name, projection.version, generation.number))
    _log.info("generation_made", generation=generation.name)


async def next_generation(
    connection: Connection,
    projection: Projection[Any],
    *,
    shards: int = 1,
    options: RebuildOptions = NO_OPTIONS,
) -> Generation[Any]:
    """The generation being built for this version of the definition; made when there is none.

    The options are kept with it, beside those that it was begun with.
    """
    async with _locked(connection, projection):
        generation = await _being_built(connection, projection)
        if generation is None:
            generation = await _create_next(connection, projection, BUILDING, shards)
        await add_options(connection, generation, options)
        return generation


async def _being_built(
    connection: Connection, projection: Projection[Any]
) -> Generation[Any] | None:
    for row in await _generations_of(connection, projection):
        if row.state == BUILDING and row.definition_version == projection.version:
            return projection.generation(row.generation)
    return None


async def scratch_generation(
    connection: Connection, projection: Projection[Any], *, shards: int = 1
) -> Generation[Any]:
    """A new generation to compare another with; whoever makes it drops it."""
    async with _locked(connection, projection):
        return await _create_next(connection, projection, SCRATCH, shards)


async def _generations_of(
    connection: Connection, projection: Projection[Any]
) -> list[GenerationRow]:
    return [row for row in await all_generations(connection) if row.name == projection.name]


async def _create_next(
    connection: Connection, projection: Projection[Any], state: str, shards: int
) -> Generation[Any]:
    rows = await _generations_of(connection, projection)
    number = max((row.generation for row in rows), default=0) + 1
    return await _create(
        connection, projection.generation(number), state, projection.shards(shards)
    )


async def _create(
    connection: Connection, generation: Generation[Any], state: str, shards: int
) -> Generation[Any]:
    for statement in generation.create_tables():
        await connection.execute(statement)
    for table in generation.table_names:
        await connection.execute(
            SQL("COMMENT ON TABLE {} IS {}").format(Identifier(table), Literal(generation.name))
        )
    projection = generation.projection
    row = (projection.name, generation.number, projection.version, state)
    await connection.execute(_INSERT, row)
    await ensure_checkpoints(connection, generation.name, shards=shards)
    return generation


async def point_to(connection: Connection, generation: Generation[Any]) -> None:
    """Let the queries of this version of the definition read the generation from now on."""
    projection = generation.projection
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")  # somebody is told of it
        await set_state(connection, generation, READY)
        row = (projection.name, projection.version, generation.number)
        await connection.execute(_POINT, row)
    _log.info("generation_pointed_to", generation=generation.name)


async def set_state(connection: Connection, generation: Generation[Any], state: str) -> None:
    """Say what the generation is from now on; nobody works on it any more."""
    await connection.execute(_SET_STATE, (state, generation.projection.name, generation.number))


async def set_phase(connection: Connection, generation: Generation[Any], phase: str) -> None:
    """Say, to whoever looks, what is being done to a generation."""
    await connection.execute(_SET_PHASE, (phase, generation.projection.name, generation.number))


@asynccontextmanager
async def _locked(connection: Connection, projection: Projection[Any]) -> AsyncIterator[None]:
    """A transaction in which nobody else makes generations of the projection."""
    async with connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s || current_schema(), 0))",
            (f"generations of {projection.name} in ",),
        )
        yield
