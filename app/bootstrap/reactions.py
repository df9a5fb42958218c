"""The reactor, and a look at its timers."""

import asyncio

from app.bootstrap.sealing import opened_sealing
from app.bootstrap.store import command_store
from app.catalogue import CODEC, UPCASTERS
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.modules.event_types.declared import followed_event_types
from app.reactions.reactor import Reactor, Rules
from app.reactions.registry import DECIDERS, POLICIES
from app.reactions.waiting import Timer, waiting_timers
from app.settings import Settings

RULES = Rules(POLICIES, DECIDERS)


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
        )
        await reactor.run(stop)


async def timers_that_wait(database: Database, prefix: str, limit: int) -> list[Timer]:
    """The timers whose keys begin so, by when they are due."""
    async with command_store(database) as store:
        return await waiting_timers(store.pool, prefix, limit=limit)
