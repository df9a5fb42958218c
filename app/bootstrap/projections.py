"""The read models: kept up to date, rebuilt, looked at."""

import asyncio

from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.eventstore.acts import Acts
from app.eventstore.database import Database
from app.eventstore.parking import ParkedKey, Tell
from app.eventstore.wakeups import Wakeups
from app.kernel.errors import ReadModelBehind
from app.kernel.event import Metadata
from app.modules.operations.events import (
    ProjectionAct,
    RebuildRequested,
    ReshardRequested,
    RetryRequested,
    RollbackRequested,
    SkipRequested,
)
from app.settings import Settings
from projections.filling import JOBS, OnProgress
from projections.generations import pointed_to
from projections.parked import parked_of, resume_parked
from projections.projector import Projector
from projections.rebuild import rebuild, rollback
from projections.registry import PROJECTIONS, projection_named
from projections.session import Log
from projections.sharding import MAX_SHARDS, reshard
from projections.status import ProjectionStatus, rates_per_s, statuses
from projections.verification import Comparison, OnDifferences, verify

REBUILD_JOBS = JOBS
MAX_PROJECTION_SHARDS = MAX_SHARDS
PROJECTION_NAMES = tuple(projection.name for projection in PROJECTIONS)
Verified = Comparison
"""What `verify_projection` answers and a rebuild tells; the command line knows no projections."""
ShowProgress = OnProgress
"""What shows how far a rebuild, or a verification, has come."""


async def run_projector(settings: Settings, database: Database, stop: asyncio.Event) -> None:
    """Keep the read models up to date until told to stop."""
    poll_interval = settings.poll_interval
    async with Wakeups(database, poll_interval) as wakeups:
        log = log_of(database)
        await Projector(log, wakeups, PROJECTIONS, shards=settings.shards).run(stop)


async def _record(database: Database, act: ProjectionAct, metadata: Metadata) -> None:
    """Note in the log what is about to be done."""
    async with command_store(database) as store:
        await Acts(store, CODEC).record(act.stream, act, metadata)


async def rebuild_projection(
    database: Database,
    name: str,
    metadata: Metadata,
    *,
    on_progress: OnProgress,
    on_differences: OnDifferences,
    accept_differences: bool,
    drop_old: bool,
    jobs: int = REBUILD_JOBS,
    throttle: float | None = None,
) -> int:
    """Rebuild a read model by its name; see `projections.rebuild`. Answers the generation.

    Here and below, the metadata is of the event that says so in the log.
    """
    asked = RebuildRequested(name, accept_differences, drop_old, throttle)
    await _record(database, asked, metadata)
    return await rebuild(
        log_of(database),
        projection_named(name),
        on_progress=on_progress,
        on_differences=on_differences,
        accept_differences=accept_differences,
        drop_old=drop_old,
        jobs=jobs,
        throttle=throttle,
    )


async def roll_projection_back(database: Database, name: str, metadata: Metadata) -> int:
    """Let queries of a read model read its former generation, whose number is answered."""
    await _record(database, RollbackRequested(name), metadata)
    return await rollback(log_of(database), projection_named(name))


async def verify_projection(
    database: Database, name: str, *, on_progress: OnProgress, jobs: int = REBUILD_JOBS
) -> Verified:
    """Check a read model against the log; see `projections.verification`."""
    return await verify(
        log_of(database), projection_named(name), on_progress=on_progress, jobs=jobs
    )


async def observe_projections(
    database: Database,
) -> list[tuple[ProjectionStatus, dict[str, float]]]:
    """The read models' status, and each generation's events a second; looks twice in a second."""
    async with await database.connect() as connection:
        first = await statuses(connection, PROJECTIONS)
        await asyncio.sleep(1)
        second = await statuses(connection, PROJECTIONS)
    return [(now, rates_per_s(before, now)) for before, now in zip(first, second, strict=True)]


async def parked_keys_of_projection(database: Database, name: str) -> list[ParkedKey]:
    """The keys that a read model's queries lack."""
    async with await database.connect() as connection:
        return await parked_of(connection, projection_named(name))


async def resume_projection(
    database: Database, name: str, key: str | None, metadata: Metadata, *, skip: bool, tell: Tell
) -> None:
    """Take up what a read model leaves out; see `projections.parked`."""
    asked = SkipRequested(name, key) if skip and key else RetryRequested(name, key)
    await _record(database, asked, metadata)
    await resume_parked(log_of(database), projection_named(name), key=key, skip=skip, tell=tell)


async def reshard_projection(database: Database, name: str, shards: int, metadata: Metadata) -> int:
    """Share the work on the read model that queries read among so many; the position at which."""
    await _record(database, ReshardRequested(name, shards), metadata)
    projection = projection_named(name)
    async with await database.connect() as connection:
        generation = await pointed_to(connection, projection)
    if generation is None:
        raise ReadModelBehind(f"the read model {name} is being built")
    return await reshard(log_of(database), generation, shards)


def log_of(database: Database) -> Log:
    """The log as projectors read it, with today's event types."""
    return Log(database, CATALOGUE, UPCASTERS)
