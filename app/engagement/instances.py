"""A customer's instances: found, kept within bounds, and brought up to date with their rules."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from app.engagement.events import OnChange, RuleResumed, RuleRetired, RuleWentLive
from app.engagement.expressions import CannotEvaluate
from app.engagement.program import Program
from app.engagement.rule import Absence, Pattern, Wait
from app.engagement.rulebook import Change, RuleBook
from app.engagement.shares import CANARY, is_in_share
from app.engagement.state import CustomerState, Instance
from app.kernel.ids import derived_event_id

MAX_INSTANCES_BY_RULE = 100
"""Of a customer."""
MAX_INSTANCES = 1_000
"""Of a customer, by all rules."""

MAX_KEY_CHARACTERS = 200
"""Of a longer one, its digest is kept."""

PATTERN, GOAL = "pattern", "goal"
"""The places of instances that do not wait at a step."""


def instance_id(rule: str, trigger: UUID) -> UUID:
    """The same for the same rule and trigger."""
    return derived_event_id("engagement", "instance", f"{rule}/{trigger.hex}", 0)


def with_key(state: CustomerState, rule: str, key: str) -> Iterator[Instance]:
    """The instances of a rule and key; at most one in each of pattern, steps and goal."""
    for instance in state.instances:
        if instance.key == key and instance.rule == rule:
            yield instance


def in_pattern(state: CustomerState, rule: str, key: str) -> Instance | None:
    """The one whose pattern is not complete yet."""
    return next((i for i in with_key(state, rule, key) if i.place == PATTERN), None)


def is_running(state: CustomerState, rule: str, key: str) -> bool:
    """Whether one waits at a step."""
    return bool(state.instances) and any(
        each.place not in {PATTERN, GOAL} for each in with_key(state, rule, key)
    )


def is_kept(state: CustomerState, instance: Instance) -> bool:
    """Whether it still is among those of the customer."""
    return any(each is instance for each in state.instances)


def next_due(state: CustomerState, until: datetime) -> Instance | None:
    """The one that falls due first, up to a time: then by rule's name, then by key."""
    due = (
        (each.due_at, each.rule, each.key, each.place, each)
        for each in state.instances
        if each.due_at is not None and each.due_at <= until and not each.is_overdue
    )
    first = min(due, key=lambda one: one[:4], default=None)
    return None if first is None else first[4]


def acts_when_due(instance: Instance, pattern: Pattern | None) -> bool:
    """Whether that it falls due is more than that a time is over."""
    if instance.place == PATTERN:
        return isinstance(pattern, Absence)
    return instance.place != GOAL


def goal_of(instance: Instance, at: datetime) -> str:
    """What reaching the goal is measured for."""
    if instance.goal_until is not None and at >= instance.goal_until:
        return "late"
    if instance.held_out:
        return "held_out"
    return "acted" if instance.acted else "not_acted"


def key_text(value: Any) -> str | None:
    """A key as an instance has it; None when there is none. Raises `CannotEvaluate`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise CannotEvaluate("a key is a text or a whole number")
    text = str(value)
    if len(text) <= MAX_KEY_CHARACTERS:
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def keep(state: CustomerState, instance: Instance) -> Instance | None:
    """Keep it, if it is not kept yet; who has to go for it, when there are too many."""
    if is_kept(state, instance):
        return None
    state.instances.append(instance)
    of_rule = [each for each in state.instances if each.rule == instance.rule]
    if len(of_rule) > MAX_INSTANCES_BY_RULE:
        oldest = of_rule[0]
    elif len(state.instances) > MAX_INSTANCES:
        oldest = state.instances[0]
    else:
        return None
    drop(state, oldest)
    return oldest


def drop(state: CustomerState, instance: Instance) -> None:
    """Keep it no longer."""
    state.instances = [each for each in state.instances if each is not instance]


def next_change(book: RuleBook, instance: Instance) -> Change | None:
    """The next change that it has to take in, which then counts as taken."""
    changes = book.changes(instance.rule)
    if instance.changes_seen >= len(changes):
        return None
    instance.changes_seen += 1
    return changes[instance.changes_seen - 1]


def ended_by(change: Change, book: RuleBook, instance: Instance, customer_id: str) -> str | None:
    """Take a change in; the reason when that ends the instance."""
    match change.event:
        case RuleRetired():
            return "retired"
        case RuleWentLive():
            return _ended_by_version(change.event, book, instance, customer_id)
        case RuleResumed(fire_overdue=fires):
            if _is_overdue(book, instance, change.at):
                instance.is_overdue, instance.due_at = False, change.at
                return None if fires else "overdue"
    return None


def _is_overdue(book: RuleBook, instance: Instance, at: datetime) -> bool:
    """Whether something should have been done by then."""
    if instance.due_at is None or instance.due_at > at:
        return False
    version = book.version(instance.rule, instance.version)
    return version is None or acts_when_due(instance, version.rule.pattern)


def _ended_by_version(
    event: RuleWentLive, book: RuleBook, instance: Instance, customer_id: str
) -> str | None:
    if instance.version == event.rule_version or event.on_change is OnChange.DRAIN:
        return None
    if not is_in_share(CANARY, instance.rule, customer_id, event.share):
        return None
    if event.on_change is OnChange.END or not _has_place(book, event.rule_version, instance):
        return "changed"
    instance.version = event.rule_version
    return None


def _has_place(book: RuleBook, number: int, instance: Instance) -> bool:
    """Whether another version waits at the same place for the same kind of thing."""
    old, new = book.version(instance.rule, instance.version), book.version(instance.rule, number)
    if old is None or new is None:
        return False
    if instance.place == GOAL:
        return new.rule.goal is not None
    if instance.place == PATTERN:
        return type(new.rule.pattern) is type(old.rule.pattern)
    return _wait_kind(old.program, instance.place) == _wait_kind(new.program, instance.place)


def _wait_kind(program: Program, place: str) -> tuple[bool, bool] | None:
    node = program.waits_at(place)
    if node is None or not isinstance(node.step, Wait):
        return None
    return node.step.event is not None, node.step.event is not None and node.step.at_most is None
