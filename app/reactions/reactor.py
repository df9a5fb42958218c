"""The reactor: lets follow from events what policies say, at once, once.

Any number of reactors, on any machines, may run: each shard of the log, and the timers, are worked
on by one of them at a time (`app.reactions.alone`), and the others take over when it is gone. What
follows is committed together with the checkpoint (`app.reactions.commit`).

It begins where the log ended when it ran for the first time: what was before is of no consequence.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import psycopg
import structlog

from app.eventstore.batch import Checkpoint, Claim, ShardKey, open_session
from app.eventstore.checkpoints import ensure_checkpoints, positions_of
from app.eventstore.codec import Codec
from app.eventstore.consumer import Consumer, backoff_s, pause
from app.eventstore.database import Connection, Database
from app.eventstore.port import EventStore
from app.eventstore.upcasting import Upcaster
from app.eventstore.wakeups import Wakeups
from app.kernel.cipher import CommandSealing
from app.kernel.decider import Decider
from app.kernel.errors import StoreUnavailable, named_line
from app.kernel.metrics import UNMEASURED, Counter, Histogram
from app.kernel.policy import Policy
from app.reactions.alone import SESSION
from app.reactions.decisions import Deciding
from app.reactions.plan import Policies
from app.reactions.reacting import Reacting
from app.reactions.streams import Streams
from app.reactions.timers import TimerCommands, Timers

CONSUMER = "reactor"
MAX_BATCH_EVENTS = 500

_log = structlog.get_logger(__name__)


class Rules(NamedTuple):
    """What follows from what."""

    policies: Sequence[Policy]
    deciders: Sequence[Decider[Any, Any]]


class Measures(NamedTuple):
    """What a reactor counts and measures."""

    reactions: Counter = UNMEASURED
    """Commands sent, and timers set or cancelled, because of events."""
    timer_lateness_s: Histogram = UNMEASURED
    """Of timers that fired: from when they were due until what followed was committed."""


class Reactor:
    """Reacts to events, and fires timers."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        wakeups: Wakeups,
        rules: Rules,
        *,
        codec: Codec,
        upcasters: Sequence[Upcaster],
        sealing: CommandSealing,
        shards: int = 1,
        measures: Measures | None = None,
    ) -> None:
        """Nothing connects before `run`. `shards`: of the checkpoint, when it is made here."""
        self._database = database
        self._store = store
        self._wakeups = wakeups
        self._codec = codec
        self._upcasters = upcasters
        self._policies = Policies(rules.policies, rules.deciders, codec)
        self._deciding = Deciding(Streams(store, codec), codec, sealing)
        self._measures = measures or Measures()
        self._timers = Timers(
            self._connect,
            TimerCommands(rules.deciders),
            self._deciding,
            self._measures.timer_lateness_s,
        )
        self._shards = shards

    async def run(self, stop: asyncio.Event) -> None:
        """React until told to stop, then finish what is at hand. Failures are retried."""
        checkpoints = await checkpoints_of(
            CONSUMER, self._database, self._store, stop, shards=self._shards
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._timers.run(stop))
            for checkpoint in checkpoints:
                claim = Claim(checkpoint, self._codec.catalogue, max_batch_events=MAX_BATCH_EVENTS)
                step = Reacting(claim, self._policies, self._deciding, self._measures.reactions)
                consumer = Consumer(claim, partial(self._connect, ShardKey.CUSTOMER), step)
                tasks.create_task(consumer.run(self._wakeups, stop))

    async def _connect(self, key: ShardKey = ShardKey.NONE) -> Connection:
        return await open_session(
            self._database,
            self._upcasters,
            key=key,
            application_name="tidings reactor",
            settings=SESSION,
        )


async def checkpoints_of(
    consumer: str, database: Database, store: EventStore, stop: asyncio.Event, *, shards: int = 1
) -> Sequence[Checkpoint]:
    """A consumer's, made at the log's end if there are none; none when told to stop before."""
    failures = 0
    while not stop.is_set():
        try:
            async with await database.connect() as connection:
                head = await store.head()
                await ensure_checkpoints(connection, consumer, shards=shards, position=head)
                return list(await positions_of(connection, consumer))
        except (psycopg.Error, StoreUnavailable) as error:
            failures += 1
            _log.warning("reactor_waits", consumer=consumer, error=named_line(error))
            await pause(stop, backoff_s(failures))
    return ()
