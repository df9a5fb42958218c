"""The courier: sends messages by their channels when it is time to, and records what came of it.

Any number of couriers, on any machines, may run: one of them sends, and the others take over when
it is gone or silent (`app.reactions.alone`). Should two be at it all the same, for one was only
thought to be gone, then only one begins each attempt; see `app.delivery.sending`.

Each channel leads to one destination, and has a bound of its own on how much is under way, and a
circuit that opens when nobody answers there: what is slow or dead delays no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

import psycopg
import structlog

from app.delivery.channel import Channels
from app.delivery.deliveries import (
    CONSUMER,
    MAX_BATCH_EVENTS,
    Due,
    Feeding,
    Messages,
    due,
    due_elsewhere,
    interrupted,
    look,
)
from app.delivery.rendering import Render, no_templates
from app.delivery.sending import FIRST_PAUSE, ChannelMeasures, Sender
from app.eventstore.batch import Checkpoint, Claim, ShardKey, open_session
from app.eventstore.checkpoints import ensure_checkpoints
from app.eventstore.clock import StoreClock
from app.eventstore.codec import Codec
from app.eventstore.consumer import Consumer, backoff_s, pause
from app.eventstore.database import Connection, Database
from app.eventstore.execute import Executor
from app.eventstore.port import EventStore
from app.eventstore.upcasting import Upcaster
from app.eventstore.wakeups import Wakeups
from app.kernel.cipher import View
from app.kernel.errors import StoreUnavailable, named_line
from app.reactions.alone import SESSION, Alone

MAX_AT_ONCE_A_CHANNEL = 16
LOOK_EVERY_S = 0.25
LEAST_PAUSE_S = 0.005
REST_S = 10.0
"""For so long a message is left alone that the courier itself failed at."""
DRAIN_S = 6.0
"""After that, what is under way is left as if the courier had died."""

_log = structlog.get_logger(__name__)


class Courier:
    """Sends messages."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        wakeups: Wakeups,
        executor: Executor,
        channels: Channels,
        *,
        codec: Codec,
        upcasters: Sequence[Upcaster],
        view: View,
        render: Render = no_templates,
        measures: Mapping[str, ChannelMeasures] | None = None,
        first_pause: timedelta = FIRST_PAUSE,
    ) -> None:
        """Nothing connects before `run`. `view` opens all sealed values; see `Sender`."""
        self._database = database
        self._wakeups = wakeups
        self._upcasters = upcasters
        self._clock = StoreClock(datetime.now(UTC))
        messages = Messages(store, codec)
        self._sender = Sender(
            messages,
            executor,
            channels,
            self._clock,
            view=view,
            render=render,
            measures=measures or {},
            first_pause=first_pause,
        )
        claim = Claim(Checkpoint(CONSUMER), codec.catalogue, max_batch_events=MAX_BATCH_EVENTS)
        self._feeding = Feeding(claim, messages)
        self._consumer = Consumer(claim, self._connect, self._feed)
        self._alone = Alone(CONSUMER)
        self._news = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[int]] = {}
        self._channel_of: dict[str, str] = {}
        """Where each of those under way goes."""
        self._settling: dict[str, int] = {}
        """What the table is still to take in: messages, and up to which position."""
        self._resting: dict[str, float] = {}
        """What is left alone: messages, and until when, by `monotonic`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop, then finish what is under way. Failures are retried."""
        if not await self._begin(stop):
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._consumer.run(self._wakeups, stop))
            tasks.create_task(self._dispatch_for_ever(stop))

    async def _begin(self, stop: asyncio.Event) -> bool:
        """See to it that there is a checkpoint; it begins where the log does."""
        failures = 0
        while not stop.is_set():
            try:
                async with await self._database.connect() as connection:
                    await ensure_checkpoints(connection, CONSUMER)
                    return True
            except (psycopg.Error, StoreUnavailable) as error:
                failures += 1
                _log.warning("courier_waits", error=named_line(error))
                await pause(stop, backoff_s(failures))
        return False

    async def _connect(self) -> Connection:
        return await open_session(
            self._database,
            self._upcasters,
            key=ShardKey.STREAM,
            application_name="tidings courier",
            settings=SESSION,
        )

    async def _feed(self, connection: Connection, max_events: int) -> bool | None:
        more = await self._feeding(connection, max_events)
        self._news.set()
        return more

    async def _dispatch_for_ever(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                async with await self._connect() as connection:
                    while not stop.is_set():
                        self._news.clear()
                        await self._dispatch(connection)
                        failures = 0
                        await self._wait(stop)
                    await self._drain()  # the connection stands for the right to do so
            except (psycopg.Error, StoreUnavailable, OSError) as error:
                failures += 1
                _log.warning("courier_waits", error=named_line(error))
                await pause(stop, backoff_s(failures))
        await self._drain()

    async def _wait(self, stop: asyncio.Event) -> None:
        """For news, at most a moment; and a little in any case, for news come in crowds."""
        await asyncio.sleep(LEAST_PAUSE_S)
        waits = [asyncio.ensure_future(e.wait()) for e in (self._news, stop)]
        try:
            await asyncio.wait(waits, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _dispatch(self, connection: Connection) -> None:
        """Take what is due, as much as may be under way."""
        if not await self._alone.holds(connection):
            return
        now, position = await look(connection)
        self._clock.set(now)
        self._settling = {i: at for i, at in self._settling.items() if at > position}
        self._resting = {i: until for i, until in self._resting.items() if until > monotonic()}
        sender = self._sender
        for found in await interrupted(connection, self._taken, MAX_AT_ONCE_A_CHANNEL):
            self._start(found, sender.take_up)
        for channel, circuit in sender.circuits.items():
            free = circuit.admits(self._count(channel), MAX_AT_ONCE_A_CHANNEL)
            if free:
                for found in await due(connection, channel, self._taken, free):
                    self._start(found, sender.send)
        known, most = list(sender.channels), MAX_AT_ONCE_A_CHANNEL
        for found in await due_elsewhere(connection, known, self._taken, most):
            self._start(found, sender.send)

    @property
    def _taken(self) -> list[str]:
        return [*self._under_way, *self._settling, *self._resting]

    def _count(self, channel: str) -> int:
        return sum(1 for other in self._channel_of.values() if other == channel)

    def _start(self, found: Due, work: Callable[[Due], Awaitable[int]]) -> None:
        task = asyncio.ensure_future(self._work(found, work))
        self._under_way[found.message_id] = task
        self._channel_of[found.message_id] = found.channel

        def done(_: object) -> None:
            del self._under_way[found.message_id], self._channel_of[found.message_id]
            self._news.set()

        task.add_done_callback(done)

    async def _work(self, found: Due, work: Callable[[Due], Awaitable[int]]) -> int:
        """One message's trouble is nobody else's: it is left alone for a while."""
        position = 0
        try:
            position = await work(found)
        except Exception as error:
            _log.error("delivery_failed", message_id=found.message_id, error=named_line(error))
            is_away = isinstance(error, StoreUnavailable)
            self._resting[found.message_id] = monotonic() + (LOOK_EVERY_S if is_away else REST_S)
        if position:
            self._settling[found.message_id] = position
        return position

    async def _drain(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=DRAIN_S)
        left = list(self._under_way.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
