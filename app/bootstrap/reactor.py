"""The reactor, and the engine beside it."""

import asyncio

from app.bootstrap.reactions import RULES, means_of
from app.bootstrap.sealing import opened_sealing
from app.catalogue import CODEC, UPCASTERS
from app.engagement.engine import Measures as EngineMeasures
from app.engagement.events import Outcome
from app.engagement.running import run_engine
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.http.metrics import Metrics
from app.modules.event_types.declared import followed_event_types
from app.reactions.decisions import Deciding
from app.reactions.reactor import Measures, Reactor, Rules
from app.reactions.streams import Streams
from app.settings import Settings


async def run_reactor(
    settings: Settings, database: Database, stop: asyncio.Event, rules: Rules = RULES
) -> None:
    """React to events, fire timers, and decide by rules, until told to stop."""
    metrics = Metrics()
    async with (
        opened_store(database, poll_interval=settings.poll_interval, upcasters=UPCASTERS) as store,
        followed_event_types(store, CODEC) as declared,
        opened_sealing(settings, database, declared) as sealing,
        Wakeups(database, settings.poll_interval) as wakeups,
    ):
        reactor = Reactor(
            database,
            store,
            wakeups,
            rules,
            codec=CODEC,
            upcasters=UPCASTERS,
            sealing=sealing,
            shards=settings.shards,
            measures=_measures(metrics),
        )
        deciding = Deciding(Streams(store, CODEC), CODEC, sealing)
        means = means_of(settings, store, deciding, sealing)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reactor.run(stop))
            engine = run_engine(
                database,
                wakeups,
                means,
                stop,
                upcasters=UPCASTERS,
                measures=_engine_measures(metrics),
            )
            tasks.create_task(engine)


def _measures(metrics: Metrics) -> Measures:
    return Measures(
        reactions=metrics.counter(
            "tidings_reactions_total",
            "Commands sent, and timers set or cancelled, because of events.",
        ),
        timer_lateness_s=metrics.histogram(
            "tidings_timer_lateness_seconds",
            "From when a timer was due until what followed from it was committed.",
        ),
    )


def _engine_measures(metrics: Metrics) -> EngineMeasures:
    decisions = metrics.counter(
        "tidings_decisions_total", "Decisions by rules, by what they came to.", ("outcome",)
    )
    return EngineMeasures(
        decisions={outcome: decisions.labels(outcome.value) for outcome in Outcome},
        evaluation_s=metrics.histogram(
            "tidings_rule_evaluation_seconds",
            "What rules took to decide on a stretch of the log, without reading and writing.",
        ),
    )
