"""The API: its parts put together, and connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar.handlers import HTTPRouteHandler

from app.bootstrap.customers import erasures_of, exports_of
from app.bootstrap.keys import keys_of
from app.bootstrap.modules import module_routes
from app.bootstrap.opened import Opened
from app.bootstrap.projections import PROJECTION_NAMES, log_of
from app.bootstrap.queries import query_routes
from app.bootstrap.reading import opened_reading
from app.bootstrap.rules import rules_of
from app.bootstrap.sealing import begun_data_keys, sensitive_fields_of
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.delivery.desk import Desk
from app.delivery.routes import delivery_routes, receipt_routes
from app.delivery.webhook import signing
from app.engagement.backtest_routes import backtest_routes
from app.engagement.routes import rule_routes
from app.engagement.why import Explaining
from app.engagement.why_routes import why_routes
from app.eventstore.acts import Acts
from app.eventstore.clock import followed_clock
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.routes import log_routes
from app.http.app import create_app
from app.http.asgi import App
from app.http.edge import Edge
from app.http.health import HealthCheck
from app.http.load import Load
from app.http.metrics import Metrics
from app.kernel.clock import system_clock
from app.kernel.cursors import Cursors
from app.kernel.sensitive import SensitiveFields
from app.modules.customers.erasure_routes import erasure_routes
from app.modules.customers.identities import Identities
from app.modules.customers.routes import customer_routes
from app.modules.event_types.declared import followed_event_types
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
from app.security.uses import StoredKeyUses, told_uses
from app.settings import Settings, listed
from projections.as_of import PastModels, past_pool
from projections.export.routes import export_routes
from projections.lag import LagGauges, published_lag
from projections.queries import ProjectionQueries
from projections.rebuild_routes import rebuild_routes
from projections.registry import PROJECTIONS, projection_named
from projections.routes import projection_routes

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
        opened_reading(settings, database, store) as reading,
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
            opened = Opened(
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


def _api(of: Opened) -> App:
    settings, store, data_keys = of.settings, of.store, of.data_keys
    fields = sensitive_fields_of(settings, of.event_types)
    sealing, disclosure = Sealing(data_keys, fields), Disclosure(data_keys)
    executor = Executor(store, CODEC, sealing)
    keys = keys_of(settings, store, executor, of.uses)
    customer_tokens = CustomerTokens(
        of.secret, store=f"{settings.environment}/{settings.schema}", clock=system_clock
    )
    quarantine = _quarantine(of)
    outlet = Outlet(store.appender.submit_one, sealing.at_once)
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
            *query_routes(of, disclosure, fields.everywhere),
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
    of: Opened, executor: Executor, disclosure: Disclosure
) -> list[HTTPRouteHandler]:
    desk = Desk(of.store.pool, of.store, executor, CODEC)
    secret = of.settings.receipts_secret
    signs = signing(secret, field="TIDINGS_RECEIPTS_SECRET") if secret is not None else None
    return [
        *delivery_routes(desk, Commands(executor, of.secret), Cursors(of.secret), disclosure),
        *receipt_routes(desk, signs),
    ]


def _quarantine(of: Opened) -> StoredQuarantine:
    quarantined = of.metrics.counter(
        "tidings_events_quarantined_total", "Events that did not fit their type."
    )
    return StoredQuarantine(of.store.pool, quarantined)


def _intake(of: Opened) -> Intake:
    return Intake(
        catalogue=CATALOGUE, secret=of.secret, clock=system_clock, event_types=of.event_types
    )


def _gate(of: Opened, keys: Keys, customer_tokens: CustomerTokens) -> Authentication:
    return Authentication(
        keys,
        of.uses,
        customer_tokens=customer_tokens,
        openid_tokens=of.openid_tokens,
        secret=of.secret,
        environment=of.settings.environment,
        clock=system_clock,
    )


def _command_routes(of: Opened, commands: Commands) -> list[HTTPRouteHandler]:
    identities = Identities(of.store.pool, of.secret)
    return [
        *event_type_routes(commands, of.event_types, CATALOGUE),
        *module_routes(commands, of.clock, of.store, identities, of.secret),
        *customer_routes(commands, identities),
    ]


def _rule_routes(
    of: Opened, commands: Commands, fields: SensitiveFields, disclosure: Disclosure
) -> list[HTTPRouteHandler]:
    rules, backtests = rules_of(of.store, of.event_types, fields)
    return [
        *rule_routes(commands, rules),
        *backtest_routes(backtests),
        *why_routes(Explaining(of.store, CODEC), disclosure),
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
