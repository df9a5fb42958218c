"""Patterns: what an instance remembers of triggers, and when they come to a match.

A time is open at its end: what comes after exactly 24 hours comes too late for `within: 24h`.
Counts and sums begin anew after each match. A count remembers no more triggers than it asks for; a
sum at most `MAX_SEEN`: of more, the oldest two are one, at the earlier's time.
"""

from datetime import datetime
from typing import Any

from app.engagement.expressions import CannotEvaluate
from app.engagement.rule import Absence, Count, Sequence, Sum
from app.engagement.spans import earlier, later
from app.engagement.state import Instance, Seen

MAX_SEEN = 1_000
MAX_AMOUNT = 2**63 - 1
"""As expressions have it, and state can keep."""


def is_restarted(pattern: Absence | Sequence) -> bool:
    """Whether another trigger takes the place of the one before.

    Of a sequence it always does: what follows within a time of any, does so of the last.
    """
    return isinstance(pattern, Sequence) or pattern.again == "restart"


def add(pattern: Count | Sum, instance: Instance, amount: Any, at: datetime) -> bool:
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
    instance.seen = seen
    instance.due_at = later(at, pattern.within)  # by then it remembers nothing
    return is_match
