"""Rebuild a projection from the log, beside the one that queries read.

Crash semantics: a generation that is being built has a checkpoint like any other, and is known as
building until the pointer moves. So a rebuild that dies anywhere is continued by the next one: the
load where it stood, an index that was not finished from its beginning. Up to the one transaction
that moves the pointer, queries see nothing of it; after it, nothing else.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from msgspec import Struct
from psycopg.sql import SQL, Identifier

from app.eventstore.batch import Claim, Span
from app.eventstore.database import Connection
from app.kernel.errors import Refused, UnknownEvent
from projections.generations import (
    GenerationRow,
    all_generations,
    drop,
    next_generation,
    point_to,
    read_so_far,
)
from projections.projection import Generation, Projection
from projections.session import Log

MAX_BATCH_EVENTS = 50_000
HANDOVER = timedelta(seconds=1)
"""How long the new generation is kept up to date here, until projectors have found it."""
_HANDOVER_POLL_S = 0.01

_log = structlog.get_logger(__name__)


class RebuildRunning(Refused):
    """The projection is being rebuilt already."""


class Progress(Struct, frozen=True):
    """How far a rebuild has come."""

    generation: int
    phase: str
    """loading, indexing, catching up."""
    position: int
    head: int
    """The end of the log; it may move away while the rebuild runs."""


OnProgress = Callable[[Progress], None]


async def rebuild(
    log: Log,
    projection: Projection[Any],
    *,
    on_progress: OnProgress = lambda _: None,
    drop_old: bool = False,
    handover: timedelta = HANDOVER,
) -> int:
    """Fill a new generation from the log, let queries read it, and answer its number.

    The generation that they read before is kept, and kept up to date, unless `drop_old`; earlier
    ones are dropped. Raises `RebuildRunning`, `UnknownEvent` when the log holds events that this
    code is too old for, `StoreUnavailable`, or a `psycopg.Error`; another call then continues.
    """
    connection = await log.connect()
    try:
        await _only_rebuild_of(connection, projection)
        generation = await next_generation(connection, projection)
        build = _Build(connection, generation, log, on_progress)
        await build.load()
        await build.index()
        await build.catch_up()
        before = await read_so_far(connection, projection)
        await point_to(connection, generation)
        await build.keep_up(handover)
        await _drop_older(connection, generation, keep=None if drop_old else before)
        return generation.number
    finally:
        await connection.close()


class _Build:
    """The filling of one generation over one connection."""

    def __init__(
        self,
        connection: Connection,
        generation: Generation[Any],
        log: Log,
        on_progress: OnProgress,
    ) -> None:
        self._connection = connection
        self._generation = generation
        self._on_progress = on_progress
        self._claim = Claim(generation.checkpoint, log.catalogue, max_batch_events=MAX_BATCH_EVENTS)

    async def load(self) -> None:
        """Apply the log up to its end, as it is when the load comes there."""
        await self._apply_to_the_end("loading")

    async def index(self) -> None:
        """Make the indexes that are faster to make at once than row by row, and statistics."""
        head = await _head(self._connection)
        self._on_progress(Progress(self._generation.number, "indexing", head, head))
        for statement in self._generation.create_indexes():
            await self._connection.execute(statement)
        for table in self._generation.table_names:
            await self._connection.execute(SQL("ANALYZE {}").format(Identifier(table)))

    async def catch_up(self) -> None:
        """Apply what was appended meanwhile."""
        await self._apply_to_the_end("catching up")

    async def keep_up(self, duration: timedelta) -> None:
        """Share the work with the projectors until each has found the generation."""
        loop = asyncio.get_running_loop()
        end = loop.time() + duration.total_seconds()
        while loop.time() < end:
            await self._apply_next()
            await asyncio.sleep(_HANDOVER_POLL_S)

    async def _apply_to_the_end(self, phase: str) -> None:
        while span := await self._apply_next():
            self._on_progress(Progress(self._generation.number, phase, span.upto, span.head))
            if span.unknown is not None:
                raise UnknownEvent(unknown_event(span.unknown))
            if span.upto == span.head:
                break

    async def _apply_next(self) -> Span | None:
        return await self._claim.apply(self._connection, self._generation.statements)


def unknown_event(position: int) -> str:
    """What is said of a consumer whose code is too old for the log."""
    return f"the event at position {position} is newer than this code, which waits before it"


async def _only_rebuild_of(connection: Connection, projection: Projection[Any]) -> None:
    """Keep others from rebuilding the projection for as long as the connection lives."""
    cursor = await connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s || current_schema(), 0))",
        (f"rebuild of {projection.name} in ",),
    )
    row = await cursor.fetchone()
    if not row or not row[0]:
        raise RebuildRunning(f"{projection.name} is being rebuilt already")


async def _head(connection: Connection) -> int:
    row = await (await connection.execute("SELECT max(position) FROM events")).fetchone()
    return (row and row[0]) or 0


async def _drop_older(
    connection: Connection, generation: Generation[Any], *, keep: int | None
) -> None:
    """Drop what this generation makes superfluous; what newer code has built is not ours."""
    projection = generation.projection
    for row in await all_generations(connection):
        is_older = row.name == projection.name and row.definition_version <= projection.version
        if is_older and row.generation not in (generation.number, keep):
            await _drop(connection, row)


async def _drop(connection: Connection, row: GenerationRow) -> None:
    if not await drop(connection, row):
        _log.warning("generation_in_use", generation=f"{row.name}_g{row.generation}")
