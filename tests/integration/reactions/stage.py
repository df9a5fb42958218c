"""A store, and reactors at work on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from app.eventstore.batch import Work
from app.eventstore.checkpoints import ensure_checkpoints
from app.eventstore.database import Database
from app.eventstore.execute import Executor, Step
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.kernel.cipher import CommandSealing
from app.kernel.decider import Decider
from app.kernel.event import Metadata, RecordedEvent
from app.reactions.decisions import Deciding
from app.reactions.parked import Retry, resume_parked
from app.reactions.plan import Policies
from app.reactions.reactor import CONSUMER, Reactor, Rules
from app.reactions.streams import Streams
from tests.integration.on_store import METADATA, POLL, OnStore
from tests.integration.reactions.parcels import CODEC, RULES


class Unsealed:
    """Seals nothing."""

    async def command(self, _customer_id: str | None, command: Any) -> Any:
        return command

    async def prepare(self, commands: Any) -> None:
        pass


@dataclass
class Stage(OnStore):
    """A store that reactors have worked on since its beginning, or not at all yet."""

    consumer: ClassVar[str] = CONSUMER

    async def send(self, decider: Decider[Any, Any], thing_id: str, command: Any) -> int:
        """Carry out a command, as the API does; its last position."""
        step = Step(decider, thing_id, command)
        return (await self.executor.execute(step, metadata=METADATA)).position

    async def begin(self) -> None:
        """As if they had run from the beginning."""
        async with await self.database.connect() as connection:
            await ensure_checkpoints(connection, self.consumer)

    def reacting(
        self, rules: Rules = RULES, sealing: CommandSealing | None = None
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """One reactor at work for the time of the block."""

        async def work(wakeups: Wakeups, stop: asyncio.Event) -> None:
            reactor = Reactor(
                self.database,
                self.store,
                wakeups,
                rules,
                codec=CODEC,
                upcasters=(),
                sealing=sealing or Unsealed(),
            )
            await reactor.run(stop)

        return self.at_work(work)

    def retrying(self, rules: Rules, sealing: CommandSealing | None = None) -> Retry:
        """What reacts to what is left out of a key."""
        deciding = Deciding(Streams(self.store, CODEC), CODEC, sealing or Unsealed())
        policies = Policies(rules.policies, rules.deciders, CODEC)
        return Retry(policies, deciding, CODEC.catalogue)

    async def retry(
        self,
        rules: Rules,
        key: str | None = None,
        *,
        skip: bool = False,
        sealing: CommandSealing | None = None,
    ) -> list[tuple[str, str | None]]:
        """Take up what is parked; each key, and why it still is."""
        return await self.resumed(self.retrying(rules, sealing), key, skip=skip)

    async def resumed(
        self, work: Work, key: str | None, *, skip: bool = False
    ) -> list[tuple[str, str | None]]:
        """Let the work take up what is parked; each key, and why it still is."""
        told: list[tuple[str, str | None]] = []
        await resume_parked(
            self.database,
            {self.consumer: work},
            (),
            tell=lambda parked, error: told.append((parked.key, error)),
            key=key,
            skip=skip,
        )
        return told

    async def parked(self) -> list[tuple[str, int]]:
        """The keys that are left out, and from which position on."""
        rows = await self.rows("SELECT key, position FROM parked_keys ORDER BY key")
        return [(key, position) for key, position in rows]

    async def events(self, kind: str = "") -> list[RecordedEvent]:
        """What is recorded; of a type, if one is named."""
        log = await self.store.read_log(after=0, limit=5000)
        return [event for event in log if not kind or event.type == kind]

    async def messages(self) -> list[str]:
        """The streams of the messages that are requested, in order."""
        return [event.stream for event in await self.events("message.requested")]

    async def until(self, kind: str, count: int = 1) -> list[RecordedEvent]:
        """Wait for so many events of a type, and a moment longer for what is too much."""

        async def are_there() -> bool:
            return len(await self.events(kind)) >= count

        await self.until_true(are_there)
        await self.settled()
        return await self.events(kind)

    async def has_begun(self) -> bool:
        """Whether a reactor has run here."""
        return bool(await self.rows("SELECT position FROM checkpoints"))

    async def settled(self) -> None:
        """Wait until the reactor has come to the end of the log."""

        async def is_settled() -> bool:
            query = "SELECT position >= (SELECT max(position) FROM events) FROM checkpoints"
            return await self.rows(query) == [(True,)]

        await self.until_true(is_settled)


@asynccontextmanager
async def stage_on(database: Database) -> AsyncIterator[Stage]:
    """A stage on an empty store."""
    async with opened_store(database, poll_interval=POLL) as store:
        yield Stage(database, store, Executor(store, CODEC))


def metadata_of(event: RecordedEvent) -> Metadata:
    return msgspec.json.decode(event.metadata, type=Metadata)
