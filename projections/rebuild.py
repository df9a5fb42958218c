"""Rebuild a projection from the log, beside the one that queries read.

Crash semantics: a generation that is being built has a checkpoint like any other, and is known as
building until the pointer moves. So a rebuild that dies anywhere is continued by the next one: the
load where it stood, an index that was not finished from its beginning. Up to the one transaction
that moves the pointer, queries see nothing of it; after it, nothing else.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import Struct
from psycopg.sql import SQL, Identifier

from app.eventstore.batch import Checkpoint, Claim, Span
from app.eventstore.checkpoints import positions_of
from app.eventstore.consumer import Consumer
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
from projections.session import Log, unknown_event
from projections.sharding import reshard

MAX_BATCH_EVENTS = 50_000
JOBS = 2
INDEX_MEMORY = "256MB"
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
    jobs: int = JOBS,
    shards: int | None = None,
    throttle: float | None = None,
    handover: timedelta = HANDOVER,
) -> int:
    """Fill a new generation from the log, let queries read it, and answer its number.

    It is filled by so many jobs at once, a shard each, or by those that an earlier call began with;
    they apply at most `throttle` events a second together. Then its work gets `shards`: by default,
    as many as that on the generation that queries read before.

    The generation that they read before is kept, and kept up to date, unless `drop_old`; earlier
    ones are dropped. Raises `RebuildRunning`, `UnknownEvent` when the log holds events that this
    code is too old for, `StoreUnavailable`, or a `psycopg.Error`; another call then continues.
    """
    connection = await log.connect(projection.shard_key)
    try:
        await _only_rebuild_of(connection, projection)
        generation = await next_generation(connection, projection, shards=jobs)
        build = _Build(connection, generation, log, on_progress, _Throttle(throttle))
        await build.apply_to_the_end("loading")
        await build.index()
        await build.apply_to_the_end("catching up")
        before = await read_so_far(connection, projection)
        if shards is None:
            shards = len(await positions_of(connection, f"{projection.name}_g{before}")) or 1
        await reshard(log, generation, projection.shards(shards))
        await point_to(connection, generation)
        await build.keep_up(handover)
        await _drop_older(connection, generation, keep=None if drop_old else before)
        return generation.number
    finally:
        await connection.close()


class _Throttle:
    """Lets so many events a second pass."""

    def __init__(self, events_per_s: float | None) -> None:
        self._events_per_s = events_per_s
        self._free_at = 0.0

    @property
    def batch_events(self) -> int:
        """How many at once: no more than a second's."""
        if self._events_per_s is None:
            return MAX_BATCH_EVENTS
        return max(min(int(self._events_per_s), MAX_BATCH_EVENTS), 1)

    async def passed(self, events: int) -> None:
        """Wait until these and all before them have had their time."""
        if self._events_per_s is None:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + events / self._events_per_s
        await asyncio.sleep(self._free_at - now)


class _Build:
    """The filling of one generation: a job for each of its shards."""

    def __init__(
        self,
        connection: Connection,
        generation: Generation[Any],
        log: Log,
        on_progress: OnProgress,
        throttle: _Throttle,
    ) -> None:
        self._connection = connection
        self._generation = generation
        self._log = log
        self._on_progress = on_progress
        self._throttle = throttle
        self._reached: dict[Checkpoint, int] = {}

    async def apply_to_the_end(self, phase: str) -> None:
        """Apply the log up to its end, as it is when each job comes there."""
        self._reached = await positions_of(self._connection, self._generation.name)
        try:
            async with asyncio.TaskGroup() as jobs:
                for checkpoint in self._reached:
                    jobs.create_task(self._apply_shard(checkpoint, phase))
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def index(self) -> None:
        """Make the indexes that are faster to make at once than row by row, and statistics."""
        head = await _head(self._connection)
        self._on_progress(Progress(self._generation.number, "indexing", head, head))
        await self._connection.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
        for statement in self._generation.create_indexes():
            await self._connection.execute(statement)
        for table in self._generation.table_names:
            await self._connection.execute(SQL("ANALYZE {}").format(Identifier(table)))

    async def keep_up(self, duration: timedelta) -> None:
        """Share the work with the projectors until each has found the generation."""
        loop = asyncio.get_running_loop()
        end = loop.time() + duration.total_seconds()
        claims = [
            self._claim(checkpoint)
            for checkpoint in await positions_of(self._connection, self._generation.name)
        ]
        while loop.time() < end:
            for claim in claims:
                await self._generation.apply(claim, self._connection)
            await asyncio.sleep(_HANDOVER_POLL_S)

    async def _apply_shard(self, checkpoint: Checkpoint, phase: str) -> None:
        claim = self._claim(checkpoint)

        async def apply(connection: Connection, max_events: int) -> bool:
            span = await self._generation.apply(claim, connection, max_events=max_events)
            if span is None:
                return False
            self._tell(checkpoint, phase, span)
            if span.unknown is not None:
                raise UnknownEvent(unknown_event(span.unknown))
            await self._throttle.passed((span.upto - span.after) // len(self._reached))
            return span.upto < span.head

        connect = partial(self._log.connect, self._generation.key)
        await Consumer(claim, connect, apply).run_to_the_end()

    def _claim(self, checkpoint: Checkpoint) -> Claim:
        events = self._throttle.batch_events
        return Claim(checkpoint, self._log.catalogue, max_batch_events=events)

    def _tell(self, checkpoint: Checkpoint, phase: str, span: Span) -> None:
        self._reached[checkpoint] = span.upto
        hindmost = min(self._reached.values())
        self._on_progress(Progress(self._generation.number, phase, hindmost, span.head))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what several jobs raised, what the first did."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


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
