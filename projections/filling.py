"""Filling a generation from the log, by a job for each shard of its work."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec import Struct
from psycopg.sql import SQL, Identifier

from app.eventstore.batch import Checkpoint, Claim, Span
from app.eventstore.checkpoints import positions_of
from app.eventstore.consumer import Consumer
from app.eventstore.database import Connection
from app.eventstore.unknown import refuse_unknown
from app.kernel.errors import Refused
from projections.generations import set_phase
from projections.projection import Generation, Projection
from projections.session import Log

MAX_BATCH_EVENTS = 50_000
JOBS = 2
LOCK_TRIES = 10
LOCK_PAUSE_S = 0.05
INDEX_MEMORY = "256MB"
_HANDOVER_POLL_S = 0.01


class RebuildRunning(Refused):
    """The projection is being rebuilt already."""


class Progress(Struct, frozen=True):
    """How far a rebuild, or a verification, has come."""

    generation: int
    phase: str
    """loading, indexing, catching up, verifying."""
    position: int
    head: int
    """The end of the log; it may move away while the rebuild runs."""


OnProgress = Callable[[Progress], None]


async def only_work_on(connection: Connection, projection: Projection[Any]) -> None:
    """Keep others from rebuilding or verifying the projection as long as the connection lives.

    Raises `RebuildRunning` after a moment: a projector may only be looking whether it is wanted.
    """
    name = f"rebuild of {projection.name} in "
    for _ in range(LOCK_TRIES):
        cursor = await connection.execute(_TRY_LOCK, (name,))
        row = await cursor.fetchone()
        if row and row[0]:
            return
        await asyncio.sleep(LOCK_PAUSE_S)
    raise RebuildRunning(f"{projection.name} is being rebuilt or verified already")


_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s || current_schema(), 0))"


class Throttle:
    """Lets so many events a second pass."""

    def __init__(self, events_per_s: float | None = None) -> None:
        """None: as many as there are."""
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


class Filling:
    """The filling of one generation: a job for each of its shards."""

    def __init__(
        self,
        connection: Connection,
        generation: Generation[Any],
        log: Log,
        on_progress: OnProgress,
        throttle: Throttle,
    ) -> None:
        """Take a session of its caller's, for what is done once for all shards."""
        self._connection = connection
        self._generation = generation
        self._log = log
        self._on_progress = on_progress
        self._throttle = throttle
        self._reached: dict[Checkpoint, int] = {}

    async def apply_to_the_end(self, phase: str) -> None:
        """Apply the log up to its end, as it is when each job comes there."""
        await set_phase(self._connection, self._generation, phase)
        self._reached = await positions_of(self._connection, self._generation.name)
        try:
            async with asyncio.TaskGroup() as jobs:
                for checkpoint in self._reached:
                    jobs.create_task(self._apply_shard(checkpoint, phase))
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def index(self) -> None:
        """Make the indexes that are faster to make at once than row by row, and statistics."""
        await self.begin("indexing")
        await self._connection.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
        for statement in self._generation.create_indexes():
            await self._connection.execute(statement)
        for table in self._generation.table_names:
            await self._connection.execute(SQL("ANALYZE {}").format(Identifier(table)))

    async def begin(self, phase: str) -> None:
        """Say that something begins which is done when it is done, and not event by event."""
        await set_phase(self._connection, self._generation, phase)
        head = await _head(self._connection)
        self._on_progress(Progress(self._generation.number, phase, head, head))

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
            refuse_unknown(span)
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


async def _head(connection: Connection) -> int:
    row = await (await connection.execute("SELECT max(position) FROM events")).fetchone()
    return (row and row[0]) or 0
