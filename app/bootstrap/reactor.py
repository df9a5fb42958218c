"""The reactor."""

import asyncio

from app.bootstrap.reactions import RULES
from app.bootstrap.sealing import opened_sealing
from app.catalogue import CODEC, UPCASTERS
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.http.metrics import Metrics
from app.modules.event_types.declared import followed_event_types
from app.reactions.reactor import Measures, Reactor, Rules
from app.settings import Settings


async def run_reactor(
    settings: Settings, database: Database, stop: asyncio.Event, rules: Rules = RULES
) -> None:
    """React to events, and fire timers, until told to stop."""
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
            measures=_measures(Metrics()),
        )
        await reactor.run(stop)


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
