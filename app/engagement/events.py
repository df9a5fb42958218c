"""What happens to rules, and what is decided by them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

from msgspec import Struct, field

from app.engagement.rule import Percent, Rule, Settings
from app.engagement.shapes import Shapes
from app.engagement.wording import in_words
from app.kernel.event import Event
from app.kernel.sensitive import SensitiveByName


class RuleSaved(Event, frozen=True):
    """A version of the rule was written: a draft until it goes live."""

    tag: ClassVar[str] = "rule.saved"
    title: ClassVar[str] = "Saved version {rule_version}"
    is_administrative: ClassVar[bool] = True

    rule_version: int
    """From 1."""
    rule: Rule
    shapes: Shapes = field(default_factory=dict)
    """What is known of the fields that it names; see `app.engagement.compiled.compile_rule`."""


class OnChange(Enum):
    """What becomes of instances that run on another version than the one that goes live."""

    DRAIN = "drain"
    """They go on as they began."""
    MIGRATE = "migrate"
    """They go on with the new version: from the same place, or not at all if it has none."""
    END = "end"


class RuleWentLive(Event, frozen=True):
    """A version begins for customers: for all, or for a share of them beside the one before."""

    tag: ClassVar[str] = "rule.went_live"
    title: ClassVar[str] = "Version {rule_version} went live"
    is_administrative: ClassVar[bool] = True

    rule_version: int
    on_change: OnChange = OnChange.DRAIN
    share: Percent = 100
    """Below 100 it is a canary: of the customers, chosen by a hash; others keep what is live."""


class RulePaused(Event, frozen=True):
    """Nothing begins by it, and nothing that it began goes on."""

    tag: ClassVar[str] = "rule.paused"
    title: ClassVar[str] = "Paused"
    is_administrative: ClassVar[bool] = True


class RuleResumed(Event, frozen=True):
    """It goes on."""

    tag: ClassVar[str] = "rule.resumed"
    title: ClassVar[str] = "Resumed"
    is_administrative: ClassVar[bool] = True

    fire_overdue: bool = False
    """Whether what fell due meanwhile is done now; else it is dropped, and the decision says so."""


class RuleRetired(Event, frozen=True):
    """It ended, with all that it began."""

    tag: ClassVar[str] = "rule.retired"
    title: ClassVar[str] = "Retired"
    is_administrative: ClassVar[bool] = True


class SettingsChanged(Event, frozen=True):
    """What holds for all rules is this now."""

    tag: ClassVar[str] = "engagement.settings_changed"
    title: ClassVar[str] = "Changed the settings of engagement"
    is_administrative: ClassVar[bool] = True

    settings: Settings


class Outcome(Enum):
    """What a decision came to."""

    ACTED = "acted"
    WAITING = "waiting"
    """It has matched, and waits before it does anything."""
    HELD_BACK = "held_back"
    """By what its reasons say."""
    HELD_OUT = "held_out"
    """For the customer is of the share that gets nothing, to compare with."""
    ENDED = "ended"
    """The goal was reached, the rule ended, or there was nothing to do."""
    FAILED = "failed"
    """An expression could not be evaluated."""


class Held(Struct, frozen=True):
    """A reason why something was not done, not at once, or not as wished first.

    So there may be some where the outcome is `ACTED`: another channel was taken, or it is deferred.
    """

    by: str
    """One of `app.engagement.limits.REASONS`."""
    detail: str = ""


class Did(Struct, frozen=True):
    """Something that was done."""

    what: str
    """``send``, ``offer``, ``record`` or ``command``."""
    stream: str
    """Where its events stand."""
    not_before: datetime | None = None
    """Of a message that quiet hours defer."""


class DecisionMade(Event, frozen=True):
    """A rule's trigger, pattern and condition matched. Decisions trigger no rules.

    There is one of each match, whatever comes of it, with all that is done up to the first wait;
    and one of each further stretch, up to the next wait or the end, in which something was done,
    held back, failed or ended. When the goal is reached within its time, that is one more, with
    the step `goal`.
    """

    tag: ClassVar[str] = "decision.made"
    title: ClassVar[str] = "Rule {rule}: {outcome}"

    rule: str
    rule_version: int
    instance: UUID
    """Of the rule, for one customer and key: from its trigger to its end."""
    step: str
    """Where in the rule it went on: the wait that was over, as ``3.then.1`` (from 0); ``pattern``
    when it matched; ``trigger`` when that failed; ``goal`` when that was reached."""
    outcome: Outcome
    at: datetime
    """The log's time at which it was decided: a due time, or when the cause was recorded."""
    trigger: UUID
    """The event that the instance began with."""
    cause: UUID
    """The event that it was decided on; the trigger's when a wait was over."""
    held: Sequence[Held] = ()
    did: Sequence[Did] = ()
    inputs: SensitiveByName[Mapping[str, Any]] = field(default_factory=dict)
    """What its expressions have seen, by their names."""

    @staticmethod
    def title_values(data: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Event.title_values`: the outcome says why."""
        return in_words(data)


REGISTERED = (
    RuleSaved,
    RuleWentLive,
    RulePaused,
    RuleResumed,
    RuleRetired,
    SettingsChanged,
    DecisionMade,
)
"""The event types of this package, for the catalogue."""
