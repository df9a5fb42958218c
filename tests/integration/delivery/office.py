"""A store, couriers at work on it, and channels that do as they are told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from app.catalogue import CODEC
from app.delivery.channel import AfterInterruption, Channel, Outgoing
from app.delivery.courier import Courier
from app.delivery.desk import Desk
from app.delivery.rendering import Render, no_templates
from app.eventstore.database import Database
from app.eventstore.execute import Executor, Step
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.kernel.cipher import as_stored
from app.kernel.event import Metadata
from app.modules.customers.decider import CUSTOMER, Register
from app.modules.messages.decider import MESSAGE, MessageCommand, RequestMessage
from app.modules.suppressions.decider import SUPPRESSION, LiftSuppression, Suppress
from app.modules.suppressions.events import Reason
from tests.integration.on_store import METADATA, POLL, OnStore

FIRST_PAUSE = timedelta(milliseconds=10)


@dataclass
class Teller:
    """A channel that takes everything, unless it is told otherwise."""

    name: str = "teller"
    address_trait: str | None = None
    after_interruption: AfterInterruption = AfterInterruption.SEND_AGAIN
    behaves: Callable[[Outgoing, int], Awaitable[None]] | None = None
    """Called with what is sent and how often this message was before; raises what it wants."""
    taken: list[Outgoing] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)

    async def send(self, outgoing: Outgoing) -> None:
        self.tries[outgoing.message_id] += 1
        if self.behaves is not None:
            await self.behaves(outgoing, self.tries[outgoing.message_id])
        self.taken.append(outgoing)

    @property
    def ids(self) -> list[str]:
        return [outgoing.message_id for outgoing in self.taken]


def always(error: Exception) -> Callable[[Outgoing, int], Awaitable[None]]:
    async def fail(_outgoing: Outgoing, _tries: int) -> None:
        raise error

    return fail


def the_first_time(error: Exception) -> Callable[[Outgoing, int], Awaitable[None]]:
    async def fail(_outgoing: Outgoing, tries: int) -> None:
        if tries == 1:
            raise error

    return fail


@dataclass
class Office(OnStore):
    """A store that couriers work on."""

    desk: Desk

    async def register(self, customer_id: str, **traits: Any) -> None:
        step = Step(CUSTOMER, customer_id, Register(traits), customer_id)
        await self.executor.execute(step, metadata=METADATA)

    async def request(
        self, message_id: str, *channels: str, customer_id: str = "ann", **more: Any
    ) -> None:
        more = {"text": f"Words of {message_id}"} | more
        command = RequestMessage("news", channels=channels or ("teller",), **more)
        await self.do(message_id, command, customer_id)

    async def do(
        self,
        message_id: str,
        command: MessageCommand,
        customer_id: str = "ann",
        metadata: Metadata = METADATA,
    ) -> None:
        step = Step(MESSAGE, message_id, command, customer_id)
        await self.executor.execute(step, metadata=metadata)

    async def suppress(self, channel: str, *, lift: bool = False) -> None:
        command = LiftSuppression(channel) if lift else Suppress(channel, Reason.ASKED)
        step = Step(SUPPRESSION, "ann", command, "ann")
        await self.executor.execute(step, metadata=METADATA)

    def courier(
        self, *channels: Channel, render: Render = no_templates
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """One courier at work for the time of the block."""

        async def work(wakeups: Wakeups, stop: asyncio.Event) -> None:
            courier = Courier(
                self.database,
                self.store,
                wakeups,
                Executor(self.store, CODEC),
                channels,
                codec=CODEC,
                upcasters=(),
                view=as_stored,
                render=render,
                first_pause=FIRST_PAUSE,
            )
            await courier.run(stop)

        return self.at_work(work)

    async def state(self, message_id: str) -> str:
        return (await self.desk.status(message_id, as_stored)).state

    async def until(self, state: str, *message_ids: str) -> None:
        """Wait until all of the messages are in a state."""

        async def are_so() -> bool:
            return {await self.state(message_id) for message_id in message_ids} == {state}

        await self.until_true(are_so)

    async def history(self, message_id: str) -> list[str]:
        """The types of what happened, without the part that all have."""
        events = await self.store.read_stream(f"message-{message_id}")
        return [event.type.removeprefix("message.") for event in events]

    async def last(self, message_id: str) -> Any:
        """The data of what happened last."""
        events = await self.store.read_stream(f"message-{message_id}")
        return msgspec.json.decode(events[-1].data)

    async def kept(self) -> dict[str, str]:
        """The messages that the table has, and their states."""
        return {kept.message_id: kept.state for kept in await self.desk.kept(limit=1000)}


@asynccontextmanager
async def office_on(database: Database) -> AsyncIterator[Office]:
    async with opened_store(database, poll_interval=POLL) as store:
        executor = Executor(store, CODEC)
        yield Office(database, store, executor, Desk(store.pool, store, executor, CODEC))
