"""What a rule made of a customer's past, in words."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Raw, Struct

from app.engagement.events import Held, Outcome
from app.engagement.instances import GOAL, PATTERN
from app.engagement.rule import Absence, Count, Pattern, Sum
from app.engagement.rule import Sequence as SequencePattern
from app.engagement.rulebook import Version
from app.engagement.state import Instance

_OBJECT = {"extra": {"type": "object"}}


class Reason(Enum):
    """What speaks against a rule having done anything for a customer last."""

    NO_CUSTOMER = "no_customer"
    """Nothing was recorded of the customer, or it was erased."""
    NOT_LIVE = "not_live"
    """No version was live for the customer."""
    NO_TRIGGER = "no_trigger"
    """No event of the trigger's type has come while it was live."""
    CONDITION = "condition"
    """The trigger's condition did not hold, or failed."""
    PATTERN = "pattern"
    """What the pattern asks for is not complete, or it ended quietly."""
    WAITING = "waiting"
    """It has begun, and waits."""
    DECIDED = "decided"
    """It was decided, as the last of the decisions says."""


class Attempt(Struct, frozen=True):
    """A time at which the rule might have begun."""

    event_id: UUID
    position: int
    at: datetime
    rule_version: int
    held: bool | None
    """Whether the condition did; null when it failed."""
    saw: Annotated[Raw, Meta(examples=[{"event.data.amount": 3}], extra_json_schema=_OBJECT)]
    error: str = ""


class Begun(Struct, frozen=True):
    """What has begun and is not over."""

    rule_version: int
    key: str
    place: str
    """``pattern``, ``goal``, or the path of the step that waits."""
    began_at: datetime
    until: datetime | None
    missing: str
    """What it waits for, in words."""


class NotedDecision(Struct, frozen=True):
    """A decision of the rule on the customer."""

    event_id: UUID | None
    """Of the recorded one; null where the engine has recorded none."""
    rule_version: int
    at: datetime
    step: str
    outcome: Outcome
    held: Sequence[Held]


_WORDS = {
    Reason.NO_CUSTOMER: "nothing was recorded of the customer, or it was erased",
    Reason.NO_TRIGGER: "no event of the trigger's type has come while the rule was live",
    Reason.CONDITION: "the condition did not hold",
    Reason.PATTERN: "the pattern ended quietly, without a match",
}


def missing(instance: Instance, version: Version | None) -> str:
    """What an instance waits for."""
    if version is None:
        return "it cannot be evaluated any more"
    if instance.place == GOAL:
        return "only the goal is awaited"
    if instance.is_overdue:
        return "it fell due while the rule was paused"
    if instance.place != PATTERN:
        return f"the wait at step {instance.place} is not over"
    return _missing_of_pattern(instance, version.rule.pattern)


def _missing_of_pattern(instance: Instance, pattern: Pattern | None) -> str:
    match pattern:
        case Absence(of=of, within=within):
            events = " or ".join(repr(match.event) for match in of)
            return f"{events} may still come within {within}; it acts when that is over"
        case Count(at_least=at_least, within=within):
            return f"{len(instance.seen)} of {at_least} have come within {within}"
        case Sum(over=over, within=within):
            total = sum(each.amount for each in instance.seen)
            return f"the sum is {total} within {within}, not over {over}"
        case SequencePattern(then=then, within=within):
            return f"{then.event!r} has not come within {within} yet"
    return ""


def explained(
    reason: Reason,
    status: str,
    attempts: Sequence[Attempt],
    begun: Sequence[Begun],
    decisions: Sequence[NotedDecision],
) -> str:
    """A reason in words."""
    match reason:
        case Reason.NOT_LIVE:
            return f"the rule is {status}: no version begins for the customer"
        case Reason.CONDITION if attempts[-1].error:
            return f"the condition failed: {attempts[-1].error}"
        case Reason.PATTERN | Reason.WAITING if begun:
            return next(each.missing for each in begun if each.place != GOAL)
        case Reason.DECIDED:
            held = ", ".join(map(_in_words, decisions[-1].held))
            told = f"it was decided: {decisions[-1].outcome.value}"
            return f"{told} ({held})" if held else told
    return _WORDS[reason]


def _in_words(held: Held) -> str:
    return f"{held.by}: {held.detail}" if held.detail else held.by
