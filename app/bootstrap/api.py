"""The API: its parts put together, and connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import NamedTuple

from litestar.handlers import HTTPRouteHandler

from app.bootstrap.customers import erasures_of, exports_of
from app.bootstrap.keys import keys_of
from app.bootstrap.modules import module_routes
from app.bootstrap.projections import PROJECTION_NAMES, log_of
from app.bootstrap.sealing import begun_data_keys, sensitive_fields_of
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.delivery.desk import Desk
from app.delivery.routes import delivery_routes, receipt_routes
from app.delivery.webhook import signing
from app.engagement.backtest import Backtests
from app.engagement.backtest_routes import backtest_routes
from app.engagement.commands import CALLABLE
from app.engagement.routes import rule_routes
from app.engagement.rules import Rules
from app.engagement.shapes import EventShapes
from app.engagement.why import Explaining
from app.engagement.why_routes import why_routes
from app.eventstore.acts import Acts
from app.eventstore.broadcast import Broadcast
from app.eventstore.clock import followed_clock
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.replica import opened_replica
from app.eventstore.routes import log_routes
from app.eventstore.scanning import Scan
from app.http.app import create_app
from app.http.asgi import App
from app.http.edge import Edge
from app.http.health import HealthCheck
from app.http.load import Load
from app.http.metrics import Metrics
from app.kernel.clock import Clock, system_clock
from app.kernel.cursors import Cursors
from app.kernel.sensitive import Names, SensitiveFields
from app.modules.customers.erasure_routes import erasure_routes
from app.modules.customers.identities import Identities
from app.modules.customers.routes import customer_routes
from app.modules.event_types.declared import EventTypes, followed_event_types
from app.modules.event_types.routes import event_type_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.quarantine_routes import quarantine_routes
from app.modules.interactions.replay import Replay
from app.modules.interactions.routes import EventsEndpoint, Outlet, event_routes
from app.reactions.routes import reaction_routes
from app.reactions.status import ReactorGauges, published_status
from app.secret import read_secret
from app.security.authentication import Authentication
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
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
from projections.cases.queries import Cases
from projections.cases.routes import case_routes
from projections.customer_offers.queries import CustomerOffers
from projections.customer_offers.routes import customer_offer_routes
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.decisions.queries import Decisions
from projections.decisions.routes import decision_routes
from projections.diff.queries import Diffs
from projections.diff.routes import diff_routes
from projections.engagement.queries import Engagements
from projections.engagement.routes import engagement_routes
from projections.export.routes import export_routes
from projections.inbox.live import LiveInboxes, live_inbox_routes
from projections.inbox.queries import Inboxes
from projections.inbox.routes import inbox_routes
from projections.lag import LagGauges, published_lag
from projections.live import LiveLog
from projections.offers.live import LiveOffers, drivers_of, live_offer_routes
from projections.offers.queries import Offers
from projections.offers.routes import offer_routes
from projections.queries import ProjectionQueries
from projections.reaction_times.queries import ReactionTimesQuery
from projections.reaction_times.routes import reaction_time_routes
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.rebuild_routes import rebuild_routes
from projections.registry import PROJECTIONS, projection_named
from projections.routes import projection_routes
from projections.timeline.live import LiveTimelines, live_timeline_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from projections.visits.queries import Visits
from projections.visits.routes import visit_routes

MAX_QUERY_CONNECTIONS = 8
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
            poll_interval=settings.poll_interval,
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
        published_status(store.pool, _reactor_gauges(metrics)),
        _opened_openid(settings) as openid_tokens,
        followed_event_types(store, CODEC) as event_types,
        followed_clock(store.pool) as clock,
    ):
        past = PastModels(log_of(database), sessions_of_the_past)
        projections = ProjectionQueries(store.pool, PROJECTIONS, rates)
        data_keys = await begun_data_keys(settings, store.pool)
        limits = SharedLimits(
            requests_per_s=settings.max_requests_per_s, events_per_s=settings.max_events_per_s
        )
        async with (
            told_uses(StoredKeyUses(store.pool)) as uses,
            shared_limits(limits, store.pool),
        ):
            opened = _Opened(
                settings=settings,
                secret=read_secret(settings),
                store=store,
                data_keys=data_keys,
                uses=uses,
                openid_tokens=openid_tokens,
                limits=limits,
                event_types=event_types,
                reading=reading,
                past=past,
                projections=projections,
                metrics=metrics,
                clock=clock,
                closing=closing,
            )
            yield _api(opened)


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
    size, timeout = MAX_QUERY_CONNECTIONS, settings.min_position_timeout
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


class _Opened(NamedTuple):
    """What the API is put together from, connected."""

    settings: Settings
    secret: bytes
    store: PostgresEventStore
    data_keys: DataKeys
    uses: KeyUses
    openid_tokens: OpenIdTokens | None
    limits: SharedLimits
    event_types: EventTypes
    reading: _Reading
    past: PastModels
    projections: ProjectionQueries
    metrics: Metrics
    clock: Clock
    """The store's; it tells modules' commands the time."""
    closing: asyncio.Event


def _api(of: _Opened) -> App:
    settings, store, data_keys = of.settings, of.store, of.data_keys
    fields = sensitive_fields_of(settings, of.event_types)
    sealing, disclosure = Sealing(data_keys, fields), Disclosure(data_keys)
    executor = Executor(store, CODEC, sealing)
    keys = keys_of(settings, store, executor, of.uses)
    customer_tokens = CustomerTokens(
        of.secret, store=f"{settings.environment}/{settings.schema}", clock=system_clock
    )
    quarantine = _quarantine(of)
    outlet = Outlet(store.appender.submit_one, sealing.is_for)
    events = EventsEndpoint(store, _intake(of), quarantine, sealing.appends, outlet)
    replay = Replay(
        store, quarantine, of.event_types, CODEC, view=disclosure.opened, seal=sealing.appends
    )
    return create_app(
        [
            *event_routes(events),
            *log_routes(store, disclosure, Cursors(of.secret)),
            *quarantine_routes(quarantine, replay, disclosure, of.reading.models.cursors),
            *_command_routes(of, Commands(executor, of.secret)),
            *_rule_routes(of, Commands(executor, of.secret), fields, disclosure),
            *erasure_routes(erasures_of(store, of.secret, data_keys)),
            *export_routes(exports_of(store, of.reading.models, disclosure)),
            *_query_routes(of, disclosure, fields.everywhere),
            *projection_routes(of.projections),
            *rebuild_routes(store.pool, projection_named, Acts(store, CODEC)),
            *reaction_routes(store.pool, Cursors(of.secret)),
            *_delivery_routes(of, executor, disclosure),
            *key_routes(keys),
            *customer_token_routes(customer_tokens),
        ],
        version=version("tidings"),
        metrics=of.metrics,
        gate=_gate(of, keys, customer_tokens),
        limits=of.limits,
        edge=_edge(settings),
        load=Load(
            max_streams_of_an_owner=settings.max_live_streams,
            is_backed_up=store.appender.is_backed_up,
        ),
        direct_routes={("POST", "/v1/events"): events},
        health_checks={"event_store": _check(store), **of.reading.health_checks},
    )


def _delivery_routes(
    of: _Opened, executor: Executor, disclosure: Disclosure
) -> list[HTTPRouteHandler]:
    desk = Desk(of.store.pool, of.store, executor, CODEC)
    secret = of.settings.receipts_secret
    signs = signing(secret, field="TIDINGS_RECEIPTS_SECRET") if secret is not None else None
    return [
        *delivery_routes(desk, Commands(executor, of.secret), Cursors(of.secret), disclosure),
        *receipt_routes(desk, signs),
    ]


def _quarantine(of: _Opened) -> StoredQuarantine:
    quarantined = of.metrics.counter(
        "tidings_events_quarantined_total", "Events that did not fit their type."
    )
    return StoredQuarantine(of.store.pool, quarantined)


def _intake(of: _Opened) -> Intake:
    return Intake(
        catalogue=CATALOGUE, secret=of.secret, clock=system_clock, event_types=of.event_types
    )


def _gate(of: _Opened, keys: Keys, customer_tokens: CustomerTokens) -> Authentication:
    return Authentication(
        keys,
        of.uses,
        customer_tokens=customer_tokens,
        openid_tokens=of.openid_tokens,
        secret=of.secret,
        environment=of.settings.environment,
        clock=system_clock,
    )


def _command_routes(of: _Opened, commands: Commands) -> list[HTTPRouteHandler]:
    identities = Identities(of.store.pool, of.secret)
    return [
        *event_type_routes(commands, of.event_types, CATALOGUE),
        *module_routes(commands, of.clock, of.store, identities, of.secret),
        *customer_routes(commands, identities),
    ]


def _rule_routes(
    of: _Opened, commands: Commands, fields: SensitiveFields, disclosure: Disclosure
) -> list[HTTPRouteHandler]:
    shapes = EventShapes(CATALOGUE, fields, of.event_types.schema)
    rules = Rules(of.store, CODEC, shapes, CALLABLE)
    backtests = Backtests(of.store, CODEC, Scan(of.store.pool, UPCASTERS), rules)
    explaining = Explaining(of.store, CODEC)
    return [
        *rule_routes(commands, rules),
        *backtest_routes(backtests),
        *why_routes(explaining, disclosure),
    ]


def _query_routes(of: _Opened, disclosure: Disclosure, sensitive: Names) -> list[HTTPRouteHandler]:
    """What read models answer."""
    models, identities = of.reading.models, Identities(of.store.pool, of.secret)
    customers = Customers(models)
    timelines = Timelines(models, CATALOGUE, UPCASTERS, of.event_types)
    newest = Timelines(of.reading.primary, CATALOGUE, UPCASTERS, of.event_types)
    log = LiveLog(of.store, Broadcast(of.store))
    live_offers = LiveOffers(of.store, Broadcast(of.store, drivers_of))
    return [
        *customer_query_routes(customers, identities, of.past, disclosure, sensitive),
        *timeline_routes(timelines, of.past, disclosure),
        *diff_routes(Diffs(of.past, customers, timelines), disclosure),
        *live_timeline_routes(LiveTimelines(newest, log), of.closing, disclosure),
        *visit_routes(Visits(models)),
        *inbox_routes(Inboxes(models), disclosure),
        *live_inbox_routes(LiveInboxes(log), of.closing, disclosure),
        *activity_count_routes(ActivityCounts(models)),
        *decision_routes(Decisions(models, UPCASTERS), disclosure),
        *engagement_routes(Engagements(models)),
        *reaction_time_routes(ReactionTimesQuery(models)),
        *audit_routes(Audit(models, CATALOGUE, UPCASTERS)),
        *offer_routes(Offers(models, of.clock), disclosure),
        *customer_offer_routes(CustomerOffers(models), disclosure),
        *live_offer_routes(live_offers, of.closing, disclosure),
        *case_routes(Cases(models)),
    ]


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


def _reactor_gauges(metrics: Metrics) -> ReactorGauges:
    return ReactorGauges(
        lag_events=metrics.gauge("tidings_reactor_lag_events", "Events not reacted to yet."),
        lag_seconds=metrics.gauge("tidings_reactor_lag_seconds", "Age of the oldest of them."),
        parked_keys=metrics.gauge("tidings_reactor_parked_keys", "Keys that reactions leave out."),
        timers_overdue=metrics.gauge("tidings_timers_overdue", "Timers due that have not fired."),
        engagement_lag_events=metrics.gauge(
            "tidings_engagement_lag_events", "Events not decided on by rules yet."
        ),
        engagement_lag_seconds=metrics.gauge(
            "tidings_engagement_lag_seconds", "Age of the oldest of them."
        ),
        engagement_parked_keys=metrics.gauge(
            "tidings_engagement_parked_keys", "Customers that rules leave out."
        ),
    )


def _check(store: PostgresEventStore) -> HealthCheck:
    async def event_store() -> None:
        await store.head()

    return event_store
