"""A store with rules, and engines at work on it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from msgspec import Raw

from app.catalogue import CATALOGUE, CODEC
from app.engagement.carrying import category_of
from app.engagement.course import Course
from app.engagement.decider import (
    RULE,
    GoLive,
    Pause,
    Resume,
    Retire,
    SaveRule,
)
from app.engagement.engine import CONSUMER
from app.engagement.evaluator import Evaluator
from app.engagement.events import DecisionMade, RuleResumed
from app.engagement.history import RULE_TYPES, take_in
from app.engagement.parked import Retry
from app.engagement.passage import Means, is_seen, seen
from app.engagement.profiles import PROFILE_TYPES, Known, evolved, nobody, whose
from app.engagement.rule import Rule
from app.engagement.rulebook import RuleBook
from app.engagement.running import run_engine
from app.engagement.state import CustomerState, Totals
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.wakeups import Wakeups
from app.kernel.event import NewEvent, RecordedEvent
from app.kernel.ids import new_event_id
from app.reactions.decisions import Deciding
from app.reactions.streams import Streams
from app.security.ciphers.sealing import Sealing
from tests.integration.on_store import METADATA, POLL
from tests.integration.reactions import stage as reactions

SEND = {"do": "send", "kind": "news", "text": "Hello"}


class Unsealed(reactions.Unsealed):
    """Seals nothing."""

    async def appends(self, appends: Sequence[Append]) -> Sequence[Append]:
        return appends


def code_of(offer_id: str) -> str:
    return f"code-{offer_id}"


def rule_of(**fields: Any) -> Rule:
    """A rule that sends a message when ``tick`` comes, unless told otherwise."""
    given = {"trigger": {"event": "tick"}, "steps": [SEND], "limits": {"consent": False}, **fields}
    return msgspec.convert(given, Rule)


def means_of(store: PostgresEventStore, sealing: Unsealed | Sealing | None = None) -> Means:
    sealing = sealing or Unsealed()
    deciding = Deciding(Streams(store, CODEC), CODEC, sealing)
    return Means(store, CODEC, deciding, sealing, code_of)


@dataclass
class Stage(reactions.Stage):
    """A store that engines have worked on since its beginning, or not at all yet."""

    consumer: ClassVar[str] = CONSUMER

    def deciding(
        self, sealing: Sealing | None = None
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """One engine at work for the time of the block."""

        async def work(wakeups: Wakeups, stop: asyncio.Event) -> None:
            await run_engine(self.database, wakeups, means_of(self.store, sealing), stop)

        return self.at_work(work)

    async def decided(self) -> None:
        """Let an engine without memories decide on all that there is, and is due."""

        async def is_nothing_due() -> bool:
            query = "SELECT count(*) FROM engagement_states WHERE due_at <= clock_now()"
            return await self.rows(query) == [(0,)]

        async with self.deciding():
            await self.settled()
            await self.until_true(is_nothing_due)

    async def live(self, name: str = "rule", **fields: Any) -> None:
        """A new version of a rule goes live."""
        await self.send(RULE, name, SaveRule(rule_of(**fields), {}))
        versions = [
            event for event in await self.events("rule.saved") if event.stream == f"rule-{name}"
        ]
        await self.send(RULE, name, GoLive(len(versions)))

    async def pause(self, name: str = "rule") -> None:
        await self.send(RULE, name, Pause())

    async def resume(self, name: str = "rule", *, fire_overdue: bool = False) -> None:
        await self.send(RULE, name, Resume(fire_overdue=fire_overdue))

    async def retire(self, name: str = "rule") -> None:
        await self.send(RULE, name, Retire())

    async def happen(self, event_type: str = "tick", who: str = "anna", **data: Any) -> None:
        """A service sends an event."""
        event = NewEvent(
            event_id=new_event_id(),
            type=event_type,
            data=Raw(msgspec.json.encode(data)),
            metadata=Raw(msgspec.json.encode(METADATA)),
            customer_id=who,
        )
        await self.store.append(Append((StreamAppend(f"activity-{who}", (event,)),)))

    async def events(self, kind: str = "") -> list[RecordedEvent]:
        """All that is recorded; of a type, if one is named."""
        events: list[RecordedEvent] = []
        while page := await self.store.read_log(after=len(events), limit=5_000):
            events += page
        return [event for event in events if not kind or event.type == kind]

    async def decisions(self) -> list[DecisionMade]:
        return [
            msgspec.json.decode(event.data, type=DecisionMade)
            for event in await self.events("decision.made")
        ]

    async def told(self) -> list[str]:
        """Each decision as one word: what it came to, and why."""
        return [
            ":".join([made.outcome.value, *(held.by for held in made.held)])
            for made in await self.decisions()
        ]

    async def until_told(self, count: int) -> list[str]:
        async def are_there() -> bool:
            return len(await self.decisions()) >= count

        await self.until_true(are_there)
        return await self.told()

    async def retry_parked(self, key: str | None = None) -> list[tuple[str, str | None]]:
        """Take up what the engine has parked; each key, and why it still is."""
        return await self.resumed(Retry(means_of(self.store)), key)

    async def states(self) -> dict[str, Any]:
        """What the engine keeps, by keys."""
        return dict(await self.rows("SELECT key, state FROM engagement_states"))

    async def replayed(self) -> Mapping[str, Any]:
        """What follows from the log alone, with everybody in memory; by decisions' ids."""
        book, known = RuleBook(), dict[str, Known]()
        course = Course(Evaluator(book, code_of, category_of), Totals())
        for recorded in await self.events():
            course.until(recorded.recorded_at)
            if recorded.type in RULE_TYPES:
                take_in(book, recorded, CODEC)
                if recorded.type == RuleResumed.tag:
                    course.wake(recorded.stream.removeprefix("rule-"), recorded.recorded_at)
            if recorded.type in PROFILE_TYPES:
                customer_id = whose(recorded.stream)
                before = known.get(customer_id) or nobody(customer_id)
                known[customer_id] = evolved(before, CODEC.decode(recorded))
                if customer_id in course.people:
                    course.people[customer_id].profile = known[customer_id].profile
            if is_seen(recorded, CATALOGUE):
                assert recorded.customer_id is not None
                if recorded.customer_id not in course.people:
                    profile = (
                        known.get(recorded.customer_id) or nobody(recorded.customer_id)
                    ).profile
                    course.join(recorded.customer_id, CustomerState(), profile)
                course.see(seen(recorded))
        course.until(await self.store.now())
        return {
            str(each.decision.id): msgspec.json.decode(msgspec.json.encode(each.decision.made))
            for each in course.decided
        }

    async def recorded(self) -> Mapping[str, Any]:
        """What was decided, by decisions' ids."""
        return {
            event.stream.removeprefix("decision-"): msgspec.json.decode(
                msgspec.json.encode(CODEC.decode(event))
            )
            for event in await self.events("decision.made")
        }


@asynccontextmanager
async def stage_on(database: Database) -> AsyncIterator[Stage]:
    """A stage on an empty store."""
    async with opened_store(database, poll_interval=POLL) as store:
        yield Stage(database, store, Executor(store, CODEC))
