"""The composition root: the only place that wires things. Nothing connects at import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.broadcast import Broadcast
from app.eventstore.codec import Codec
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.routes import log_routes
from app.eventstore.wakeups import Wakeups
from app.http.app import create_app
from app.http.asgi import App
from app.http.health import HealthCheck
from app.http.metrics import Metrics
from app.kernel.clock import system_clock
from app.modules.customers.identities import Identities
from app.modules.customers.routes import customer_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.routes import EventsEndpoint, event_routes
from app.secret import read_secret
from app.security.commands import Commands
from app.settings import Settings
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.filling import JOBS, OnProgress
from projections.lag import LagGauges, published_lag
from projections.projector import Projector
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.rebuild import rebuild, rollback
from projections.rebuild_routes import rebuild_routes
from projections.registry import PROJECTIONS, projection_named
from projections.session import Log
from projections.status import ProjectionStatus, rate_per_s, statuses
from projections.timeline.live import LiveTimelines, live_timeline_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from projections.verification import Comparison, verify

SOURCE = "default"
"""Whose idempotency keys these are, as long as there is one credential for all."""

MAX_QUERY_CONNECTIONS = 8
REBUILD_JOBS = JOBS
PROJECTION_NAMES = tuple(projection.name for projection in PROJECTIONS)
Verified = Comparison
"""What `verify_projection` answers; the command line knows no projections."""

GROUP_EVENTS_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@asynccontextmanager
async def opened_api(
    settings: Settings, database: Database, closing: asyncio.Event
) -> AsyncIterator[App]:
    """The API as an ASGI application, connected for the time of the block.

    Live streams end when `closing` is set.
    """
    metrics = Metrics()
    async with (
        opened_store(
            database,
            poll_interval=timedelta(milliseconds=settings.poll_interval_ms),
            upcasters=UPCASTERS,
            group_events=metrics.histogram(
                "tidings_append_group_events",
                "Events in a group that was appended in one call.",
                buckets=GROUP_EVENTS_BUCKETS,
            ),
            group_seconds=metrics.histogram(
                "tidings_append_group_seconds", "Time that a group's append took."
            ),
        ) as store,
        database.pool(max_size=MAX_QUERY_CONNECTIONS, settings=QUERY_SETTINGS) as query_pool,
        published_lag(database, PROJECTIONS, _lag_gauges(metrics)),
    ):
        models = ReadModels(
            query_pool,
            min_position_timeout=timedelta(milliseconds=settings.min_position_timeout_ms),
        )
        yield _api(settings, store, models, metrics, closing)


def _api(
    settings: Settings,
    store: PostgresEventStore,
    models: ReadModels,
    metrics: Metrics,
    closing: asyncio.Event,
) -> App:
    secret = read_secret(settings)
    identities = Identities(store.pool, secret)
    commands = Commands(Executor(store, Codec(CATALOGUE)), secret, SOURCE)
    intake = Intake(catalogue=CATALOGUE, secret=secret, source=SOURCE, clock=system_clock)
    events = EventsEndpoint(store, intake)
    timelines = Timelines(models, CATALOGUE, UPCASTERS)
    live = LiveTimelines(timelines, store, Broadcast(store))
    return create_app(
        [
            *event_routes(events),
            *log_routes(store),
            *customer_routes(commands, identities),
            *customer_query_routes(Customers(models), identities),
            *timeline_routes(timelines),
            *live_timeline_routes(live, closing),
            *rebuild_routes(store.pool, projection_named),
        ],
        version=version("tidings"),
        metrics=metrics,
        direct_routes={("POST", "/v1/events"): events},
        health_checks={"event_store": _check(store)},
    )


def _lag_gauges(metrics: Metrics) -> dict[str, LagGauges]:
    events = metrics.gauge(
        "tidings_projection_lag_events", "Events not yet in the read model.", ["projection"]
    )
    seconds = metrics.gauge(
        "tidings_projection_lag_seconds", "Age of the oldest of them.", ["projection"]
    )
    return {name: LagGauges(events.labels(name), seconds.labels(name)) for name in PROJECTION_NAMES}


def _check(store: PostgresEventStore) -> HealthCheck:
    async def event_store() -> None:
        await store.head()

    return event_store


async def run_projector(settings: Settings, database: Database, stop: asyncio.Event) -> None:
    """Keep the read models up to date until told to stop."""
    poll_interval = timedelta(milliseconds=settings.poll_interval_ms)
    async with Wakeups(database, poll_interval) as wakeups:
        log = _log_of(database)
        await Projector(log, wakeups, PROJECTIONS, shards=settings.shards).run(stop)


async def rebuild_projection(
    database: Database,
    name: str,
    *,
    on_progress: OnProgress,
    drop_old: bool,
    jobs: int = REBUILD_JOBS,
    throttle: float | None = None,
) -> int:
    """Rebuild a read model by its name; see `projections.rebuild`. Answers the generation."""
    return await rebuild(
        _log_of(database),
        projection_named(name),
        on_progress=on_progress,
        drop_old=drop_old,
        jobs=jobs,
        throttle=throttle,
    )


async def roll_projection_back(database: Database, name: str) -> int:
    """Let queries of a read model read its former generation, whose number is answered."""
    return await rollback(_log_of(database), projection_named(name))


async def verify_projection(
    database: Database, name: str, *, on_progress: OnProgress, jobs: int = REBUILD_JOBS
) -> Verified:
    """Check a read model against the log; see `projections.verification`."""
    return await verify(
        _log_of(database), projection_named(name), on_progress=on_progress, jobs=jobs
    )


async def observe_projections(database: Database) -> list[tuple[ProjectionStatus, float]]:
    """The read models' status and rate in events a second, from two looks a second apart."""
    async with await database.connect() as connection:
        first = await statuses(connection, PROJECTIONS)
        await asyncio.sleep(1)
        second = await statuses(connection, PROJECTIONS)
    return [(now, rate_per_s(before, now)) for before, now in zip(first, second, strict=True)]


def _log_of(database: Database) -> Log:
    return Log(database, CATALOGUE, UPCASTERS)
