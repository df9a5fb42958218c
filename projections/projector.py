"""The projector: keeps every generation of the registered projections up to date.

Any number of projectors, on any machines, share the work: a checkpoint's row lock says who applies
the next batch of a shard (crash semantics: `app.eventstore.batch`). The generation that a rebuild
left behind is kept up to date too, until it is dropped; and one that is being built by nobody any
more, or was only asked for, is built here.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import psycopg
import structlog

from app.eventstore.batch import Checkpoint, Claim
from app.eventstore.checkpoints import positions_of
from app.eventstore.consumer import Consumer, backoff_s, pause
from app.eventstore.database import Connection
from app.eventstore.unknown import Waiting
from app.eventstore.wakeups import Wakeups
from app.kernel.errors import StoreUnavailable
from projections.filling import RebuildRunning
from projections.generations import (
    READY,
    all_generations,
    make_first,
    unbuilt,
)
from projections.precedence import Precedence
from projections.projection import Generation, Projection
from projections.rebuild import rebuild
from projections.session import Log

MAX_BATCH_EVENTS = 5_000
LOOK_FOR_GENERATIONS_EVERY = timedelta(seconds=0.5)
BUILD_RETRY_AFTER = timedelta(seconds=5)
MIN_AT_ONCE = 2
"""Of the steps that an event wakes, on a machine with as few processors."""

_log = structlog.get_logger(__name__)


class _Running(NamedTuple):
    """The consumer of one shard of a generation."""

    task: asyncio.Task[None]
    stop: asyncio.Event


class Projector:
    """Runs the projections as this code defines them; other versions' generations are not its."""

    def __init__(
        self,
        log: Log,
        wakeups: Wakeups,
        projections: Sequence[Projection[Any]],
        *,
        shards: int = 1,
        max_batch_events: int = MAX_BATCH_EVENTS,
    ) -> None:
        """Nothing connects before `run`; the wakeups are the caller's to open.

        `shards`: those of the generations that are made here.
        """
        self._log = log
        self._wakeups = wakeups
        self._projections = {projection.name: projection for projection in projections}
        self._ranks = {projection.name: rank for rank, projection in enumerate(projections)}
        self._precedence = Precedence(at_once=max(MIN_AT_ONCE, os.cpu_count() or 0))
        self._shards = shards
        self._max_batch_events = max_batch_events
        self._running: dict[Checkpoint, _Running] = {}
        self._builds: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Project until told to stop, then finish the batches at hand. Failures are retried."""
        failures = 0
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                try:
                    async with await self._log.connect() as connection:
                        failures = 0
                        await self._look_for_generations(connection, tasks, stop)
                except (psycopg.Error, StoreUnavailable) as error:
                    failures += 1
                    _log.warning("projector_waits", error=str(error))
                    await pause(stop, backoff_s(failures))
            for running in self._running.values():
                running.stop.set()
            for build in self._builds.values():
                build.cancel()

    async def _look_for_generations(
        self, connection: Connection, tasks: asyncio.TaskGroup, stop: asyncio.Event
    ) -> None:
        """Begin to work on generations that appear, and leave those that disappear."""
        await make_first(connection, tuple(self._projections.values()), shards=self._shards)
        while not stop.is_set():
            wanted = await self._wanted(connection)
            for checkpoint in self._running.keys() - wanted.keys():
                self._running.pop(checkpoint).stop.set()
            for checkpoint in wanted.keys() - self._running.keys():
                self._running[checkpoint] = self._start(tasks, checkpoint, wanted[checkpoint])
            for projection in await unbuilt(connection, self._projections.values()):
                self._build(tasks, projection)
            await pause(stop, LOOK_FOR_GENERATIONS_EVERY.total_seconds())

    async def _wanted(self, connection: Connection) -> dict[Checkpoint, Generation[Any]]:
        """The generations to keep up to date, by their shards' checkpoints."""
        wanted: dict[Checkpoint, Generation[Any]] = {}
        for row in await all_generations(connection):
            projection = self._projections.get(row.name)
            if projection and row.state == READY and row.definition_version == projection.version:
                generation = projection.generation(row.generation)
                for checkpoint in await positions_of(connection, generation.name):
                    wanted[checkpoint] = generation
        return wanted

    def _start(
        self, tasks: asyncio.TaskGroup, checkpoint: Checkpoint, generation: Generation[Any]
    ) -> _Running:
        stop = asyncio.Event()
        claim = Claim(checkpoint, self._log.catalogue, max_batch_events=self._max_batch_events)
        rank = self._ranks[generation.projection.name]
        step = Applying(generation, claim, partial(self._precedence.turn, rank))
        consumer = Consumer(claim, partial(self._log.connect, generation.key), step)
        return _Running(tasks.create_task(consumer.run(self._wakeups, stop)), stop)

    def _build(self, tasks: asyncio.TaskGroup, projection: Projection[Any]) -> None:
        """Build a generation, unless that is under way here."""
        running = self._builds.get(projection.name)
        if running is None or running.done():
            self._builds[projection.name] = tasks.create_task(_build(self._log, projection))


class Applying:
    """Applies the next batch to a generation; waits before an event that it does not know."""

    def __init__(
        self,
        generation: Generation[Any],
        claim: Claim,
        turn: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        """Take what is applied to, the claim of one of its shards, and what gives it turns.

        It waits for a turn when it has been at the log's end, and not while it is catching up.
        """
        self._generation = generation
        self._claim = claim
        self._turn = turn
        self._waiting = Waiting(claim.checkpoint)
        self._is_behind = False

    async def __call__(self, connection: Connection, max_events: int) -> bool:
        """Do so; whether there is more."""
        async with nullcontext() if self._is_behind else self._turn():
            span = await self._generation.apply(self._claim, connection, max_events=max_events)
        self._is_behind = span is not None and span.upto < span.head
        if span is None or await self._waiting.is_before(connection, span):
            return False
        return self._is_behind


async def _build(log: Log, projection: Projection[Any]) -> None:
    """Rebuild; where that fails, or another process is at it, a later look tries again."""
    try:
        await rebuild(log, projection, unless_built=True)
    except Exception as error:
        if not isinstance(error, RebuildRunning):
            _log.error("build_failed", projection=projection.name, error=f"{error!r}")
        await asyncio.sleep(BUILD_RETRY_AFTER.total_seconds())
