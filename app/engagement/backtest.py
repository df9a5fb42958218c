"""Backtests: what a rule would have decided in a period, or has, by the log alone.

The same rules as live, all of them together, over the same events in the same order with a clock
that is the log's: so for a rule that was live then, it is what the engine has decided, decision for
decision. It begins with the first event that any of these rules was live for, however long before
the period that was. A version that is tried goes live when the period begins, in place of what the
rule was; what it would have done is not in the log, so nothing follows from it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import NamedTuple

from app.engagement.backtested import (
    Asked,
    Period,
    Progress,
    Shown,
    Summary,
    Tally,
    difference_of,
    shown_of,
)
from app.engagement.course import Decided
from app.engagement.decider import NoSuchRuleVersion
from app.engagement.events import RuleSaved, RuleWentLive
from app.engagement.history import changes_between
from app.engagement.past import Past
from app.engagement.profiles import PROFILE_TYPES
from app.engagement.replay import Replay, Trial, name_of, triggers_of
from app.engagement.rule import Rule
from app.engagement.rules import Rules
from app.eventstore.codec import Codec
from app.eventstore.database import fetch
from app.eventstore.postgres import PostgresEventStore
from app.eventstore.scanning import Scan
from app.kernel.clock import in_utc
from app.kernel.errors import InvalidInput, NotFound, Refused
from app.kernel.event import Event, RecordedEvent
from app.modules.customers.events import CustomerErased

TURN_S = 0.005
"""For so long the event loop is kept from others."""
MAX_POSITION = 2**63 - 1

_INSTANT = timedelta(microseconds=1)
# Of the last instant before: what is subtracted there may be less than Python has years.
_WHEN = """
SELECT position_at(%(begin)s::timestamptz - instant),
    position_at(least(%(end)s::timestamptz - instant, clock_now())),
    least(%(end)s, clock_now())
FROM CAST('1 microsecond' AS interval) AS instant
"""


class TooMuchToKeep(Refused):
    """The rules keep something of more customers at a time than a backtest over HTTP may hold."""


class _Change(NamedTuple):
    """An event of a rule, or of the settings."""

    position: int
    at: datetime
    name: str
    event: Event


class Backtests:
    """Makes backtests of a store's rules."""

    def __init__(self, store: PostgresEventStore, codec: Codec, scan: Scan, rules: Rules) -> None:
        """Take the log, and what checks drafts."""
        self._store = store
        self._codec = codec
        self._scan = scan
        self._rules = rules

    async def of(self, name: str, asked: Asked, *, max_kept_bytes: int | None = None) -> "Backtest":
        """One, which has not begun, and breaks off when it keeps more than so much, as estimated.

        Raises `InvalidInput`, `InvalidRule`, `NotFound`, `NoSuchRuleVersion`, `StoreUnavailable`.
        """
        if asked.version is not None and asked.rule is not None:
            raise InvalidInput("give a version or a rule, not both", field="rule")
        begin = in_utc(asked.period.begin, field="from")
        asked_end = in_utc(asked.period.end, field="to")
        if begin >= asked_end:
            raise InvalidInput("a period ends after it begins", field="to")
        values = {"begin": begin, "end": asked_end}
        [(before, upto, end)] = await fetch(self._store.pool, _WHEN, values)
        changes = await self._changes()
        tried = await self._tried(name, asked, changes)
        return Backtest(
            name,
            Period(begin, max(end, begin)),
            tried,
            changes=[each for each in changes if each.position <= upto],
            positions=range(before, max(upto, before)),
            shown=asked.decisions,
            scan=self._scan,
            codec=self._codec,
            past=Past(self._store, self._codec),
            max_kept_bytes=max_kept_bytes,
        )

    async def _tried(
        self, name: str, asked: Asked, changes: Sequence[_Change]
    ) -> list[RuleSaved | None]:
        saved = {
            each.event.rule_version: each.event
            for each in changes
            if each.name == name and isinstance(each.event, RuleSaved)
        }
        if not saved and asked.rule is None:
            raise NotFound(f"there is no rule {name!r}")
        tried: list[RuleSaved | None] = [None]
        if asked.version is not None:
            tried = [_version(saved, asked.version)]
        elif asked.rule is not None:
            saving = await self._rules.saving(name, asked.rule)
            tried = [RuleSaved(max(saved, default=0) + 1, saving.rule, saving.shapes)]
        if asked.compare_with is not None:
            tried.append(_version(saved, asked.compare_with))
        return tried

    async def _changes(self) -> list[_Change]:
        """All that ever happened to rules, in the log's order."""
        recorded = await changes_between(self._store, 0, MAX_POSITION)
        return [
            _Change(each.position, each.recorded_at, name_of(each.stream), self._codec.decode(each))
            for each in recorded
        ]


class Backtest:
    """One."""

    def __init__(
        self,
        name: str,
        period: Period,
        tried: Sequence[RuleSaved | None],
        *,
        changes: Sequence[_Change],
        positions: range,
        shown: int,
        scan: Scan,
        codec: Codec,
        past: Past,
        max_kept_bytes: int | None,
    ) -> None:
        """Of a rule in the versions that are tried, each beside all other rules as they were.

        `positions`: after which the period begins, and up to which it goes. `max_kept_bytes`: see
        `Backtests.of`.
        """
        self.name, self.period = name, period
        self.on_decided: Callable[[int, Decided], None] | None = None
        """Is told of each decision on the rule in the period, and of which trial it is."""
        self._tried = tried
        self._changes = deque(changes)
        self._positions = positions
        self._left_to_show = shown
        self._scan = scan
        self._past = past
        self._max_kept_bytes = max_kept_bytes
        self._replay = Replay(codec, len(tried))
        self._tallies = [Tally(saved.rule_version if saved else None) for saved in tried]
        self._triggers = triggers_of(self._rules_of(changes))
        self._has_begun = False
        self._events = 0
        self._turn_began = perf_counter()
        self._begin = self._begin_of(changes)

    async def run(self) -> AsyncIterator[Progress | Shown | Summary]:
        """How far it has come, some decisions in order, and at last the summary.

        Raises `StoreUnavailable`, and `TooMuchToKeep`.
        """
        upto = self._positions.stop
        types, after = self._triggers | PROFILE_TYPES, self._begin
        async for position, events in self._scan(types, after=after, upto=upto):
            await self._prepare(events, after, position)
            await self._turns(events)
            await self._change_until(position)
            self._past.change(self._replay.cast.heard, self._replay.cast.known)
            after = position
            for shown in self._decided():
                yield shown
            yield Progress(position, upto)
        await self._change_until(upto)
        await self._pass(self.period.begin)
        await self._pass(self.period.end - _INSTANT)
        for shown in self._decided():
            yield shown
        yield self._summary()

    def _rules_of(self, changes: Sequence[_Change]) -> list[Rule]:
        """Those that anything may be evaluated by."""
        live = {
            (each.name, each.event.rule_version)
            for each in changes
            if isinstance(each.event, RuleWentLive)
        }
        recorded = [
            each.event.rule
            for each in changes
            if isinstance(each.event, RuleSaved) and (each.name, each.event.rule_version) in live
        ]
        return recorded + [saved.rule for saved in self._tried if saved is not None]

    def _begin_of(self, changes: Sequence[_Change]) -> int:
        """After which position anything can be decided."""
        is_as_it_was = None in self._tried
        live = (
            each.position
            for each in changes
            if isinstance(each.event, RuleWentLive) and (each.name != self.name or is_as_it_was)
        )
        return min([self._positions.start, *live])

    async def _prepare(self, events: Sequence[RecordedEvent], after: int, upto: int) -> None:
        """Read whom a stretch of the log concerns, as they were when it begins."""
        types, replay = self._looked_at(events, upto), self._replay
        wanted = {each.customer_id for each in events if each.type in types}
        wanted |= {replay.changed(each) for each in events if each.type in PROFILE_TYPES}
        erasures = [each.recorded_at for each in events if each.type == CustomerErased.tag]
        known = await self._past.known(filter(None, wanted), after)
        replay.begin(known, await self._past.erased(erasures))

    def _looked_at(self, events: Sequence[RecordedEvent], upto: int) -> Collection[str]:
        """The types that rules look at before a position; some more, where rules change."""
        begins = not self._has_begun and events and events[-1].recorded_at >= self.period.begin
        if begins or (self._changes and self._changes[0].position <= upto):
            return self._triggers
        return frozenset[str]().union(*(trial.book.types() for trial in self._replay.trials))

    async def _turns(self, events: Sequence[RecordedEvent]) -> None:
        """Take events in, and let others have their turn between them."""
        for number, recorded in enumerate(events):
            if not number & 63:
                self._check_kept()
                await self._let_others()
            if self._changes and self._changes[0].position < recorded.position:
                await self._change_until(recorded.position)
            if not self._has_begun or self._is_due(recorded.recorded_at):
                await self._pass(recorded.recorded_at)
            self._events += self._replay.take(recorded) is not None

    def _check_kept(self) -> None:
        if self._max_kept_bytes is None:
            return
        kept = sum(trial.kept_bytes for trial in self._replay.trials)
        if kept + sum(tally.bytes for tally in self._tallies) > self._max_kept_bytes:
            raise TooMuchToKeep

    async def _let_others(self) -> None:
        if perf_counter() - self._turn_began > TURN_S:
            await asyncio.sleep(0)
            self._turn_began = perf_counter()

    async def _change_until(self, position: int) -> None:
        while self._changes and self._changes[0].position <= position:
            _position, at, name, event = self._changes.popleft()
            await self._pass(at)
            for saved, trial in self._trials():
                if name != self.name or saved is None:
                    trial.change(name, event, at)

    async def _pass(self, at: datetime) -> None:
        """Let time pass up to a moment. When the period begins, what is tried goes live."""
        if not self._has_begun and at >= self.period.begin:
            await self._do_due(self.period.begin)
            self._has_begun = True
            self._go_live()
        await self._do_due(at)

    async def _do_due(self, at: datetime) -> None:
        """All that falls due up to a moment, in as many turns as it takes."""
        for trial in self._replay.trials:
            while (due_at := trial.due_at) is not None and due_at <= at:
                trial.until(due_at)
                await self._let_others()

    def _is_due(self, at: datetime) -> bool:
        due = (trial.due_at for trial in self._replay.trials)
        return any(due_at is not None and due_at <= at for due_at in due)

    def _go_live(self) -> None:
        for saved, trial in self._trials():
            if saved is not None:
                trial.change(self.name, saved, self.period.begin)
                went = RuleWentLive(saved.rule_version)
                trial.change(self.name, went, self.period.begin)

    def _trials(self) -> Iterator[tuple[RuleSaved | None, Trial]]:
        return zip(self._tried, self._replay.trials, strict=True)

    def _decided(self) -> Iterator[Shown]:
        for number, (trial, tally) in enumerate(
            zip(self._replay.trials, self._tallies, strict=True)
        ):
            for decided in trial.decided():
                made = decided.decision.made
                if made.rule != self.name or not self._is_within(made.at):
                    continue
                tally.add(decided.customer_id, made)
                if self.on_decided is not None:
                    self.on_decided(number, decided)
                if self._left_to_show:
                    self._left_to_show -= 1
                    yield shown_of(decided, is_compared=number > 0)

    def _is_within(self, at: datetime) -> bool:
        return self.period.begin <= at < self.period.end

    def _summary(self) -> Summary:
        tested = [
            tally.tested(trial)
            for tally, trial in zip(self._tallies, self._replay.trials, strict=True)
        ]
        return Summary(
            rule=self.name,
            begin=self.period.begin,
            end=self.period.end,
            begun_at_position=self._begin,
            end_position=self._positions.stop,
            events=self._events,
            tested=tested[0],
            compared=tested[1] if len(tested) > 1 else None,
            difference=difference_of(*self._tallies) if len(tested) > 1 else None,
        )


def _version(saved: Mapping[int, RuleSaved], number: int) -> RuleSaved:
    if number not in saved:
        raise NoSuchRuleVersion
    return saved[number]
