"""Patterns: what an instance remembers of triggers, and when they come to a match.

A time is open at its end: what comes after exactly 24 hours comes too late for `within: 24h`.
Counts and sums begin anew after each match. A count remembers no more triggers than it asks for; a
sum at most `MAX_SEEN`: of more, the oldest two are one, at the earlier's time.
"""

from datetime import datetime
from typing import Any

from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import remembered
from app.engagement.instances import PATTERN, instance_id
from app.engagement.rule import Absence, Count, Pattern, Sequence, Sum
from app.engagement.rulebook import Version
from app.engagement.spans import earlier, later
from app.engagement.state import Instance, Seen, SeenEvent
from app.engagement.stretch import Stretch

MAX_SEEN = 1_000
MAX_AMOUNT = 2**63 - 1
"""As expressions have it, and state can keep."""


def has_come(pattern: Pattern | None, event_type: str, stretch: Stretch) -> bool:
    """Whether an event completes a sequence, or ends an absence. Raises `CannotEvaluate`."""
    match pattern:
        case Absence(of=matches):
            return any(
                match.event == event_type and stretch.holds(f"pattern.of[{number}].where")
                for number, match in enumerate(matches)
            )
        case Sequence(then=then):
            return then.event == event_type and stretch.holds("pattern.then.where")
    return False


def feed(version: Version, instance: Instance, event: SeenEvent, stretch: Stretch) -> bool:
    """Give a trigger to the rule's pattern; whether that makes a match. Raises `CannotEvaluate`."""
    match version.rule.pattern:
        case Absence() | Sequence() as pattern:
            if instance.due_at is None or _is_restarted(pattern):
                _take(version, instance, event, stretch)
                instance.due_at = later(event.at, pattern.within)
        case Count() | Sum() as pattern:
            _take(version, instance, event, stretch)
            amount = stretch.value("pattern.of") if isinstance(pattern, Sum) else 0
            return _add(pattern, instance, amount, event.at)
    return False


def remember(version: Version, instance: Instance, event: SeenEvent, stretch: Stretch) -> None:
    """Keep of a trigger what the rule asks for later."""
    if version.notes:
        instance.inputs = remembered(version.notes, event)
    stretch.take(instance, PATTERN)


def _take(version: Version, instance: Instance, event: SeenEvent, stretch: Stretch) -> None:
    """An event is what the instance began with, in place of any before."""
    instance.id = instance_id(instance.rule, event.event_id)
    instance.trigger, instance.began_at = event.event_id, event.at
    remember(version, instance, event, stretch)


def _is_restarted(pattern: Absence | Sequence) -> bool:
    """Whether another trigger takes the place of the one before.

    Of a sequence it always does: what follows within a time of any, does so of the last.
    """
    return isinstance(pattern, Sequence) or pattern.again == "restart"


def _add(pattern: Count | Sum, instance: Instance, amount: Any, at: datetime) -> bool:
    """Add a trigger; whether that makes a match. Raises `CannotEvaluate` for an amount not int."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise CannotEvaluate("what is summed is no whole number")
    since = earlier(at, pattern.within)
    seen = [each for each in instance.seen if each.at > since]
    seen.append(Seen(at, amount))
    if isinstance(pattern, Count):
        is_match = len(seen) >= pattern.at_least
        seen = seen[-pattern.at_least :]
    else:
        is_match = sum(each.amount for each in seen) > pattern.over
        if len(seen) > MAX_SEEN:
            both = seen[0].amount + seen[1].amount
            seen[:2] = [Seen(seen[0].at, max(-MAX_AMOUNT, min(both, MAX_AMOUNT)))]
    instance.seen = [] if is_match else seen
    instance.due_at = later(at, pattern.within)  # by then it remembers nothing
    return is_match
