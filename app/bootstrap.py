"""The composition root: the only place that wires things. Nothing connects at import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import NamedTuple

from psycopg_pool import AsyncConnectionPool

from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.acts import Acts
from app.eventstore.broadcast import Broadcast
from app.eventstore.codec import Codec
from app.eventstore.database import Connection, Database
from app.eventstore.execute import Executor
from app.eventstore.parking import ParkedKey
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.replica import opened_replica
from app.eventstore.routes import log_routes
from app.eventstore.wakeups import Wakeups
from app.http.app import create_app
from app.http.asgi import App
from app.http.edge import Edge
from app.http.health import HealthCheck
from app.http.load import Load
from app.http.metrics import Metrics
from app.kernel.clock import system_clock
from app.kernel.declared import DeclaredTypes
from app.kernel.errors import ReadModelBehind
from app.kernel.event import Metadata
from app.kernel.sensitive import SensitiveFields
from app.master_key import next_master_keys, read_master_keys, retire_master_keys
from app.modules.customers.erasure import Erasures
from app.modules.customers.erasure_routes import erasure_routes
from app.modules.customers.identities import Identities
from app.modules.customers.receipts import Receipts
from app.modules.customers.routes import customer_routes
from app.modules.event_types.declared import EventTypes, followed_event_types
from app.modules.event_types.routes import event_type_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.quarantine_routes import quarantine_routes
from app.modules.interactions.replay import Replay
from app.modules.interactions.routes import EventsEndpoint, event_routes
from app.modules.operations.events import (
    ProjectionAct,
    RebuildRequested,
    ReshardRequested,
    RetryRequested,
    RollbackRequested,
    SkipRequested,
)
from app.secret import read_secret
from app.security.authentication import Authentication
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
from app.security.ciphers.master_key import MasterKeys
from app.security.ciphers.redaction import OnRedaction, Redaction
from app.security.ciphers.rewrap import rewrap
from app.security.ciphers.sealing import Sealing
from app.security.commands import Commands
from app.security.customer_tokens import CustomerTokens
from app.security.keys import Keys
from app.security.openid import OpenIdTokens, Trust
from app.security.provider_keys import opened_provider_keys
from app.security.routes import key_routes
from app.security.sharing import SharedLimits, shared_limits
from app.security.token_routes import customer_token_routes
from app.security.uses import KeyUses, StoredKeyUses, told_uses
from app.settings import Settings, listed
from projections.activity_counts.queries import ActivityCounts
from projections.activity_counts.routes import activity_count_routes
from projections.as_of import PastModels, past_pool
from projections.audit.queries import Audit
from projections.audit.routes import audit_routes
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.diff.queries import Diffs
from projections.diff.routes import diff_routes
from projections.export.lines import Exports
from projections.export.routes import export_routes
from projections.filling import JOBS, OnProgress
from projections.generations import pointed_to
from projections.lag import LagGauges, published_lag
from projections.paging import Cursors
from projections.parked import Tell, parked_of, resume_parked
from projections.projector import Projector
from projections.queries import ProjectionQueries
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.rebuild import rebuild, rollback
from projections.rebuild_routes import rebuild_routes
from projections.registry import PROJECTIONS, projection_named
from projections.routes import projection_routes
from projections.session import Log
from projections.sharding import MAX_SHARDS, reshard
from projections.status import ProjectionStatus, rates_per_s, statuses
from projections.timeline.live import LiveTimelines, live_timeline_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from projections.verification import Comparison, OnDifferences, verify
from projections.visits.queries import Visits
from projections.visits.routes import visit_routes

MAX_QUERY_CONNECTIONS = 8
REBUILD_JOBS = JOBS
MAX_PROJECTION_SHARDS = MAX_SHARDS
PROJECTION_NAMES = tuple(projection.name for projection in PROJECTIONS)
Verified = Comparison
"""What `verify_projection` answers and a rebuild tells; the command line knows no projections."""
ShowProgress = OnProgress
"""What shows how far a rebuild, or a verification, has come."""

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
        _opened_reading(settings, database, store) as reading,
        past_pool(database) as sessions_of_the_past,
        published_lag(database, PROJECTIONS, _lag_gauges(metrics)) as rates,
        _opened_openid(settings) as openid_tokens,
        followed_event_types(store, Codec(CATALOGUE)) as event_types,
    ):
        past = PastModels(_log_of(database), sessions_of_the_past)
        projections = ProjectionQueries(store.pool, PROJECTIONS, rates)
        data_keys = data_keys_of(settings, store.pool)
        await data_keys.begin()
        limits = SharedLimits(
            requests_per_s=settings.max_requests_per_s, events_per_s=settings.max_events_per_s
        )
        async with (
            told_uses(StoredKeyUses(store.pool)) as uses,
            shared_limits(limits, store.pool),
        ):
            yield _api(
                settings,
                store,
                data_keys=data_keys,
                uses=uses,
                openid_tokens=openid_tokens,
                limits=limits,
                event_types=event_types,
                reading=reading,
                past=past,
                projections=projections,
                metrics=metrics,
                closing=closing,
            )


class _Reading(NamedTuple):
    """Where read models are read."""

    models: ReadModels
    """For queries."""
    primary: ReadModels
    """On the store's own server, for what follows the log."""
    health_checks: dict[str, HealthCheck]


@asynccontextmanager
async def _opened_reading(
    settings: Settings, database: Database, store: PostgresEventStore
) -> AsyncIterator[_Reading]:
    """The read models, those for queries on the replica if there is one."""
    cursors = Cursors(read_secret(settings))
    size, timeout = MAX_QUERY_CONNECTIONS, timedelta(milliseconds=settings.min_position_timeout_ms)
    async with database.pool(max_size=size, settings=QUERY_SETTINGS) as pool:
        primary = ReadModels(pool, min_position_timeout=timeout, cursors=cursors)
        if settings.read_database_url is None:
            yield _Reading(primary, primary, {})
            return
        there = Database(settings.read_database_url, settings.schema, called="the replica")
        async with opened_replica(
            there, store.pool, max_size=size, settings=QUERY_SETTINGS
        ) as replica:
            models = ReadModels(
                replica.pool,
                min_position_timeout=timeout,
                head=store.head,
                check=replica.check,
                cursors=cursors,
            )
            yield _Reading(models, primary, {"replica": replica.ready})


def _api(
    settings: Settings,
    store: PostgresEventStore,
    *,
    data_keys: DataKeys,
    uses: KeyUses,
    openid_tokens: OpenIdTokens | None,
    limits: SharedLimits,
    event_types: EventTypes,
    reading: _Reading,
    past: PastModels,
    projections: ProjectionQueries,
    metrics: Metrics,
    closing: asyncio.Event,
) -> App:
    secret = read_secret(settings)
    identities = Identities(store.pool, secret)
    fields = sensitive_fields_of(settings, event_types)
    sealing, disclosure = Sealing(data_keys, fields), Disclosure(data_keys)
    executor = Executor(store, Codec(CATALOGUE), sealing)
    commands = Commands(executor, secret)
    keys = _keys(settings, store, executor, uses)
    customer_tokens = CustomerTokens(
        secret, store=f"{settings.environment}/{settings.schema}", clock=system_clock
    )
    gate = Authentication(
        keys,
        uses,
        customer_tokens=customer_tokens,
        openid_tokens=openid_tokens,
        secret=secret,
        environment=settings.environment,
        clock=system_clock,
    )
    intake = Intake(catalogue=CATALOGUE, secret=secret, clock=system_clock, event_types=event_types)
    quarantine = StoredQuarantine(
        store.pool,
        metrics.counter("tidings_events_quarantined_total", "Events that did not fit their type."),
    )
    replay = Replay(store, quarantine, event_types, Codec(CATALOGUE), disclosure.opened)
    events = EventsEndpoint(store, intake, quarantine, sealing.appends)
    customers = Customers(reading.models)
    timelines = Timelines(reading.models, CATALOGUE, UPCASTERS, event_types)
    live = LiveTimelines(
        Timelines(reading.primary, CATALOGUE, UPCASTERS, event_types), store, Broadcast(store)
    )
    return create_app(
        [
            *event_routes(events),
            *log_routes(store, disclosure),
            *event_type_routes(commands, event_types, CATALOGUE),
            *quarantine_routes(quarantine, replay, disclosure),
            *customer_routes(commands, identities),
            *erasure_routes(_erasures(store, secret, data_keys)),
            *export_routes(_exports(store, reading.models, disclosure)),
            *customer_query_routes(customers, identities, past, disclosure, fields.everywhere),
            *timeline_routes(timelines, past, disclosure),
            *diff_routes(Diffs(past, customers, timelines), disclosure),
            *live_timeline_routes(live, closing, disclosure),
            *visit_routes(Visits(reading.models)),
            *activity_count_routes(ActivityCounts(reading.models)),
            *projection_routes(projections),
            *rebuild_routes(store.pool, projection_named, Acts(store, Codec(CATALOGUE))),
            *key_routes(keys),
            *audit_routes(Audit(reading.models, CATALOGUE, UPCASTERS)),
            *customer_token_routes(customer_tokens),
        ],
        version=version("tidings"),
        metrics=metrics,
        gate=gate,
        limits=limits,
        edge=_edge(settings),
        load=Load(max_streams_of_an_owner=settings.max_live_streams),
        direct_routes={("POST", "/v1/events"): events},
        health_checks={"event_store": _check(store), **reading.health_checks},
    )


@asynccontextmanager
async def _opened_openid(settings: Settings) -> AsyncIterator[OpenIdTokens | None]:
    """What knows the tokens of the provider that the settings name, if they name one."""
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if issuer is None or audience is None:
        yield None
        return
    trust = Trust(issuer, audience, settings.oidc_algorithm, settings.oidc_scopes_claim)
    async with opened_provider_keys(issuer, trust.algorithm) as keys:
        yield OpenIdTokens(trust, keys, system_clock)


def _edge(settings: Settings) -> Edge:
    return Edge(
        hosts=listed(settings.allowed_hosts),
        origins=listed(settings.cors_origins),
        hsts_max_age_s=settings.hsts_max_age_s,
    )


def data_keys_of(settings: Settings, pool: AsyncConnectionPool[Connection]) -> DataKeys:
    """The customers' data keys, under the settings' master key; raises `InvalidInput` for it."""
    masters = MasterKeys(lambda: read_master_keys(settings))
    return DataKeys(pool, masters, settings.schema)


def sensitive_fields_of(settings: Settings, declared: DeclaredTypes) -> SensitiveFields:
    """The names of sensitive fields, those that types of events declare among them."""
    return SensitiveFields(settings.sensitive_fields.split(), declared.sensitive_fields)


@asynccontextmanager
async def opened_sealing(
    settings: Settings, database: Database, declared: DeclaredTypes
) -> AsyncIterator[Sealing]:
    """What seals, for the time of the block; for what appends without the API."""
    async with database.pool(max_size=1) as pool:
        data_keys = data_keys_of(settings, pool)
        await data_keys.begin()
        yield Sealing(data_keys, sensitive_fields_of(settings, declared))


async def rewrap_data_keys(settings: Settings, database: Database) -> int:
    """Wrap the data keys under a new master key, and destroy the old one; how many there were.

    Raises `InvalidInput` where the settings give no new one, and `WrongMasterKey`.
    """
    next_master_keys(settings)
    masters = MasterKeys(lambda: read_master_keys(settings))
    async with database.pool(max_size=1) as pool:
        rewrapped = await rewrap(pool, masters, settings.schema)
    retire_master_keys(settings)
    return rewrapped


async def redact_events(
    settings: Settings, database: Database, metadata: Metadata, on_progress: OnRedaction
) -> int:
    """Seal what was recorded in plaintext; see `app.security.ciphers.redaction`."""
    poll_interval = timedelta(milliseconds=settings.poll_interval_ms)
    async with opened_store(database, poll_interval=poll_interval, max_pool_size=2) as store:
        data_keys = data_keys_of(settings, store.pool)
        await data_keys.begin()
        async with followed_event_types(store, Codec(CATALOGUE)) as declared:
            fields = sensitive_fields_of(settings, declared)
            redaction = Redaction(store, data_keys, CATALOGUE, fields)
            return await redaction.run(metadata, on_progress)


def _keys(settings: Settings, store: PostgresEventStore, executor: Executor, uses: KeyUses) -> Keys:
    return Keys(
        store,
        executor,
        Codec(CATALOGUE),
        uses,
        secret=read_secret(settings),
        environment=settings.environment,
        clock=system_clock,
    )


@asynccontextmanager
async def opened_keys(settings: Settings, database: Database) -> AsyncIterator[Keys]:
    """The store's API keys, for the time of the block."""
    async with opened_store(
        database, poll_interval=timedelta(milliseconds=settings.poll_interval_ms), max_pool_size=2
    ) as store:
        executor = Executor(store, Codec(CATALOGUE))
        yield _keys(settings, store, executor, StoredKeyUses(store.pool))


def _erasures(store: PostgresEventStore, secret: bytes, data_keys: DataKeys) -> Erasures:
    return Erasures(store, Codec(CATALOGUE), data_keys, Receipts(secret))


def _exports(store: PostgresEventStore, models: ReadModels, disclosure: Disclosure) -> Exports:
    customers, timelines = Customers(models), Timelines(models, CATALOGUE, UPCASTERS)
    return Exports(store, Codec(CATALOGUE), customers, timelines, disclosure.opened)


@asynccontextmanager
async def opened_erasures(settings: Settings, database: Database) -> AsyncIterator[Erasures]:
    """What erases customers, for the time of the block."""
    async with opened_store(
        database, poll_interval=timedelta(milliseconds=settings.poll_interval_ms), max_pool_size=2
    ) as store:
        data_keys = data_keys_of(settings, store.pool)
        await data_keys.begin()
        yield _erasures(store, read_secret(settings), data_keys)


@asynccontextmanager
async def opened_exports(settings: Settings, database: Database) -> AsyncIterator[Exports]:
    """What exports customers, for the time of the block."""
    timeout = timedelta(milliseconds=settings.min_position_timeout_ms)
    async with (
        opened_store(
            database,
            poll_interval=timedelta(milliseconds=settings.poll_interval_ms),
            upcasters=UPCASTERS,
            max_pool_size=2,
        ) as store,
        database.pool(max_size=2, settings=QUERY_SETTINGS) as pool,
    ):
        data_keys = data_keys_of(settings, store.pool)
        await data_keys.begin()
        models = ReadModels(pool, min_position_timeout=timeout)
        yield _exports(store, models, Disclosure(data_keys))


def _lag_gauges(metrics: Metrics) -> dict[str, LagGauges]:
    events = metrics.gauge(
        "tidings_projection_lag_events", "Events not yet in the read model.", ["projection"]
    )
    seconds = metrics.gauge(
        "tidings_projection_lag_seconds", "Age of the oldest of them.", ["projection"]
    )
    parked = metrics.gauge(
        "tidings_projection_parked_keys", "Keys that the read model leaves out.", ["projection"]
    )
    return {
        name: LagGauges(events.labels(name), seconds.labels(name), parked.labels(name))
        for name in PROJECTION_NAMES
    }


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


async def _record(database: Database, act: ProjectionAct, metadata: Metadata) -> None:
    """Note in the log what is about to be done."""
    async with opened_store(database, poll_interval=timedelta(seconds=1), max_pool_size=1) as store:
        await Acts(store, Codec(CATALOGUE)).record(act.stream, act, metadata)


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
        _log_of(database),
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
    return await rollback(_log_of(database), projection_named(name))


async def verify_projection(
    database: Database, name: str, *, on_progress: OnProgress, jobs: int = REBUILD_JOBS
) -> Verified:
    """Check a read model against the log; see `projections.verification`."""
    return await verify(
        _log_of(database), projection_named(name), on_progress=on_progress, jobs=jobs
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
    await resume_parked(_log_of(database), projection_named(name), key=key, skip=skip, tell=tell)


async def reshard_projection(database: Database, name: str, shards: int, metadata: Metadata) -> int:
    """Share the work on the read model that queries read among so many; the position at which."""
    await _record(database, ReshardRequested(name, shards), metadata)
    projection = projection_named(name)
    async with await database.connect() as connection:
        generation = await pointed_to(connection, projection)
    if generation is None:
        raise ReadModelBehind(f"the read model {name} is being built")
    return await reshard(_log_of(database), generation, shards)


def _log_of(database: Database) -> Log:
    return Log(database, CATALOGUE, UPCASTERS)
