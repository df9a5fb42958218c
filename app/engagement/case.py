"""A case: one customer at one moment, and what the rules make of it."""

from datetime import datetime

from app.engagement import limits, patterns
from app.engagement.effects import Decision
from app.engagement.events import Held, Outcome
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import Facts
from app.engagement.instances import (
    GOAL,
    PATTERN,
    acts_when_due,
    drop,
    ended_by,
    goal_of,
    in_pattern,
    instance_id,
    is_kept,
    is_running,
    keep,
    key_text,
    next_change,
    next_due,
    with_key,
)
from app.engagement.program import END
from app.engagement.rule import Sequence, Wait
from app.engagement.rulebook import RuleBook, Version
from app.engagement.shares import HOLDOUT, is_in_share
from app.engagement.spans import later
from app.engagement.state import Instance, SeenEvent
from app.engagement.stretch import (
    MAX_DETAIL_CHARACTERS,
    TRIGGER,
    Moment,
    Stretch,
    plain_decision,
)

_TOLD = frozenset({"overdue", "too_many"})
"""Reasons for which the end is told though nothing has matched yet."""


class Case:
    """One customer at one moment."""

    def __init__(self, book: RuleBook, moment: Moment) -> None:
        self.decisions: list[Decision] = []
        self._book = book
        self._moment = moment
        self._state = moment.state
        self._keys: dict[tuple[str, int], str | None] = {}

    def forget(self) -> None:
        """The customer was erased."""
        state = self._state
        state.instances, state.sent = [], []
        state.begun, state.offers = {}, {}

    def take_in_changes(self) -> None:
        """Bring what runs up to date with what happened to its rules."""
        for instance in list(self._state.instances):
            while (change := next_change(self._book, instance)) is not None:
                customer_id = self._moment.profile.customer_id
                reason = ended_by(change, self._book, instance, customer_id)
                if reason is not None:
                    self._end(instance, reason, at=change.at)
                    break

    # What has begun

    def see(self, name: str, event: SeenEvent) -> None:
        """What a rule makes of an event."""
        book, fed = self._book, set[str]()
        for instance in list(self._state.instances):
            if instance.rule == name and book.looks(name, instance.version, event.type):
                is_there = is_kept(self._state, instance)
                if is_there and self._continue(instance, event):
                    fed.add(instance.key)
        version = book.version_for(name, self._moment.profile.customer_id)
        if version is not None and version.rule.trigger.event == event.type:
            self._begin(version, event, fed)

    def _continue(self, instance: Instance, event: SeenEvent) -> bool:
        """Go on with an instance; whether its own version has taken the event for a trigger."""
        version = self._book.version(instance.rule, instance.version)
        if version is None:
            self._break(instance)
            return False
        stretch = Stretch(self._moment, version, instance, instance.place)
        try:
            if self._key(version) != instance.key:
                return False
            if self._reaches_goal(version, instance, event, stretch):
                return False
            return self._go_on(version, instance, event, stretch)
        except CannotEvaluate as error:
            stretch.fail(error)
            self._conclude(stretch, instance)
            return False

    def _reaches_goal(
        self, version: Version, instance: Instance, event: SeenEvent, stretch: Stretch
    ) -> bool:
        goal = version.rule.goal
        if goal is None or goal.event != event.type or not stretch.holds("goal.where"):
            return False
        drop(self._state, instance)
        if instance.place != PATTERN:
            stretch = Stretch(self._moment, version, instance, GOAL)
            stretch.held.append(Held("goal", goal_of(instance, self._moment.at)))
            self.decisions.append(stretch.decision(Outcome.ENDED))
        return True

    def _go_on(
        self, version: Version, instance: Instance, event: SeenEvent, stretch: Stretch
    ) -> bool:
        if instance.place == PATTERN:
            return self._go_on_in_pattern(version, instance, event, stretch)
        node = version.program.waits_at(instance.place)
        if node is not None and isinstance(node.step, Wait) and node.step.event is not None:
            match = node.step.event
            is_paused = self._book.is_paused(instance.rule)
            is_it = match.event == event.type and not is_paused
            if is_it and stretch.holds(f"{node.place}.event.where"):
                self._run(stretch, instance, node.after)
        return False

    def _go_on_in_pattern(
        self, version: Version, instance: Instance, event: SeenEvent, stretch: Stretch
    ) -> bool:
        pattern = version.rule.pattern
        if not patterns.has_come(pattern, event.type, stretch):
            return self._drain(version, instance, event, stretch)
        drop(self._state, instance)
        if isinstance(pattern, Sequence) and not self._book.is_paused(instance.rule):
            self._enter(version, instance, stretch)
        return False

    def _drain(
        self, version: Version, instance: Instance, event: SeenEvent, stretch: Stretch
    ) -> bool:
        """A trigger of an instance that drains counts by its own version; whether this is one."""
        current = self._book.version_for(instance.rule, self._moment.profile.customer_id)
        if current is None or current.number == version.number:
            return False
        if version.rule.trigger.event != event.type or not stretch.holds("trigger.where"):
            return False
        self._feed(version, instance, event, stretch)
        return True

    # What begins

    def _begin(self, version: Version, event: SeenEvent, fed: set[str]) -> None:
        """What the event is as a trigger."""
        stretch = Stretch(self._moment, version, None, TRIGGER)
        try:
            if not stretch.holds("trigger.where"):
                return
            key = key_text(stretch.value("trigger.key")) if version.has_key else ""
        except CannotEvaluate as error:
            stretch.fail(error)
            stretch.take(self._new(version, event, ""), TRIGGER)
            self.decisions.append(stretch.decision(Outcome.FAILED))
            return
        if key is not None and key not in fed:
            self._take(version, event, stretch, key)

    def _take(self, version: Version, event: SeenEvent, stretch: Stretch, key: str) -> None:
        """A trigger has come."""
        if version.rule.pattern is None:
            instance = self._new(version, event, key)
            patterns.remember(version, instance, event, stretch)
            self._enter(version, instance, stretch)
            return
        kept = in_pattern(self._state, version.name, key)
        if kept is None:
            self._feed(version, self._new(version, event, key), event, stretch)
        elif kept.version == version.number:
            self._feed(version, kept, event, stretch)

    def _key(self, version: Version) -> str | None:
        """To which instances the event belongs; None: to none."""
        if not version.has_key:
            return ""
        known = (version.name, version.number)
        if known not in self._keys:
            facts = Facts(self._moment.profile, self._moment.event)
            try:
                value = version.compiled.expressions["trigger.key"].evaluate(facts)
                self._keys[known] = key_text(value)
            except CannotEvaluate:
                self._keys[known] = None
        return self._keys[known]

    def _new(self, version: Version, event: SeenEvent, key: str) -> Instance:
        return Instance(
            id=instance_id(version.name, event.event_id),
            rule=version.name,
            version=version.number,
            key=key,
            trigger=event.event_id,
            began_at=event.at,
            place=PATTERN,
            changes_seen=len(self._book.changes(version.name)),
        )

    def _feed(
        self, version: Version, instance: Instance, event: SeenEvent, stretch: Stretch
    ) -> None:
        """Give a trigger to a pattern, and go by what it makes of it."""
        try:
            is_match = patterns.feed(version, instance, event, stretch)
        except CannotEvaluate as error:
            stretch.fail(error)
            self._conclude(stretch, instance)
            return
        if is_match:
            drop(self._state, instance)
            self._enter(version, instance, stretch)
        else:
            self._keep(instance)

    # What has matched

    def _enter(self, version: Version, instance: Instance, stretch: Stretch) -> None:
        """The rule matched: it begins for the customer, if nothing speaks against it."""
        rule, state, moment = version.rule, self._state, self._moment
        instance.due_at = None
        if is_running(state, instance.rule, instance.key):
            held: Held | None = Held("running")
        else:
            policy = rule.limits.re_entry
            held = limits.held_by_re_entry(policy, state, instance.rule, instance.key, moment.at)
        if held is not None:
            stretch.held.append(held)
            self.decisions.append(stretch.decision(Outcome.HELD_BACK))
            return
        if rule.goal is not None:
            instance.goal_until = later(moment.at, rule.goal.within)
        if is_in_share(HOLDOUT, instance.rule, moment.profile.customer_id, rule.holdout):
            instance.held_out = True
            self.decisions.append(stretch.decision(Outcome.HELD_OUT))
            self._finish(instance)
            return
        self._run(stretch, instance, version.program.begin, has_matched=True)

    def _run(
        self,
        stretch: Stretch,
        instance: Instance,
        begin: int,
        *,
        has_matched: bool = False,
    ) -> None:
        """Go on with the steps, and conclude."""
        stretch.run(begin)
        self._conclude(stretch, instance, has_matched=has_matched)

    def _conclude(self, stretch: Stretch, instance: Instance, *, has_matched: bool = False) -> None:
        instance.acted = instance.acted or stretch.has_acted
        outcome = self._outcome(stretch, instance, has_matched)
        if outcome is not None:
            self.decisions.append(stretch.decision(outcome))
        if outcome is Outcome.FAILED:
            drop(self._state, instance)
        elif stretch.waits:
            self._keep(instance)
        else:
            self._finish(instance)

    def _outcome(self, stretch: Stretch, instance: Instance, has_matched: bool) -> Outcome | None:
        """What to decide, if anything: see `DecisionMade`."""
        outcome = stretch.outcome()
        if outcome is not None:
            return outcome
        if stretch.waits:
            return Outcome.WAITING if has_matched else None
        if instance.acted:
            return None
        if not stretch.held:
            stretch.held.append(Held("end", stretch.because))
        return Outcome.ENDED

    def _finish(self, instance: Instance) -> None:
        """All steps are done; what is left is to see whether the goal is reached."""
        state, until = self._state, instance.goal_until
        if until is None or until <= self._moment.at:
            drop(state, instance)
            return
        for earlier in list(with_key(state, instance.rule, instance.key)):
            if earlier.place == GOAL:
                drop(state, earlier)
        instance.place, instance.due_at = GOAL, until
        self._keep(instance)

    def _keep(self, instance: Instance) -> None:
        if (oldest := keep(self._state, instance)) is not None:
            self._end(oldest, "too_many", self._moment.at)

    def _end(self, instance: Instance, reason: str, at: datetime) -> None:
        """End it, with a decision if it had matched, or would have been about to."""
        drop(self._state, instance)
        if instance.place == GOAL or (instance.place == PATTERN and reason not in _TOLD):
            return
        held = Held(reason)
        self.decisions.append(plain_decision(instance, at, Outcome.ENDED, held))

    def _break(self, instance: Instance) -> None:
        """Its version cannot be evaluated any more."""
        drop(self._state, instance)
        failure = self._book.failures.get((instance.rule, instance.version), "")
        held = Held("failed", failure[:MAX_DETAIL_CHARACTERS])
        self.decisions.append(plain_decision(instance, self._moment.at, Outcome.FAILED, held))

    # What falls due

    def fall_due(self, until: datetime) -> None:
        """Do what falls due up to a time: in order of time, then of rules' names, then of keys."""
        while (instance := next_due(self._state, until)) is not None:
            assert instance.due_at is not None  # noqa: S101 - what is due is due at a time
            self._moment.at = instance.due_at
            version = self._book.version(instance.rule, instance.version)
            if version is None:
                self._break(instance)
            elif not acts_when_due(instance, version.rule.pattern):
                drop(self._state, instance)
            elif self._book.is_paused(instance.rule):
                instance.is_overdue = True
            else:
                self._act(version, instance)

    def _act(self, version: Version, instance: Instance) -> None:
        stretch = Stretch(self._moment, version, instance, instance.place)
        if instance.place == PATTERN:
            drop(self._state, instance)
            self._enter(version, instance, stretch)
            return
        node = version.program.waits_at(instance.place)
        if node is None or not isinstance(node.step, Wait):
            self._end(instance, "changed", self._moment.at)
            return
        is_over = node.step.event is None or node.step.otherwise == "go_on"
        if not is_over and not instance.acted:
            stretch.held.append(Held("not_come"))
        self._run(stretch, instance, node.after if is_over else END)
