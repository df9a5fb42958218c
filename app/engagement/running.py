"""The engine at work."""

import asyncio
from collections.abc import Sequence

from app.engagement.engine import CONSUMER, MAX_BATCH_EVENTS, Engine, Measures
from app.engagement.passage import Means
from app.eventstore.batch import Claim, ShardKey, open_session
from app.eventstore.consumer import Consumer
from app.eventstore.database import Connection, Database
from app.eventstore.upcasting import Upcaster
from app.eventstore.wakeups import Wakeups
from app.reactions.alone import SESSION
from app.reactions.reactor import checkpoints_of


async def run_engine(
    database: Database,
    wakeups: Wakeups,
    means: Means,
    stop: asyncio.Event,
    *,
    upcasters: Sequence[Upcaster] = (),
    measures: Measures | None = None,
) -> None:
    """Decide by rules until told to stop, then finish what is at hand. Failures are retried."""

    async def connect() -> Connection:
        return await open_session(
            database,
            upcasters,
            key=ShardKey.CUSTOMER,
            application_name="tidings engagement",
            settings=SESSION,
        )

    for checkpoint in await checkpoints_of(CONSUMER, database, means.store, stop):
        claim = Claim(checkpoint, means.codec.catalogue, max_batch_events=MAX_BATCH_EVENTS)
        engine = Engine(claim, means, measures)
        await Consumer(claim, connect, engine, idle_s=engine.idle_s).run(wakeups, stop)
