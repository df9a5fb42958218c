"""What the engine keeps of a customer, and of a rule as a whole: all that is not in the profile.

It is a function of the log: folded by the evaluator, kept in the table `engagement_states` so that
nobody has to fold again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, field


class Seen(Struct, array_like=True):
    """A trigger that a count or a sum remembers."""

    at: datetime
    amount: int = 0


class Instance(Struct, omit_defaults=True):
    """A rule that has begun for a customer and key."""

    id: UUID
    """Derived from rule and trigger."""
    rule: str
    version: int
    key: str
    trigger: UUID
    began_at: datetime
    place: str
    """``pattern``, the path of the step that waits, or ``goal`` when only that is awaited."""
    due_at: datetime | None = None
    seen: list[Seen] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    """What later expressions need of the trigger and of what was done, by their names."""
    acted: bool = False
    held_out: bool = False
    goal_until: datetime | None = None
    is_overdue: bool = False
    """It fell due while its rule was paused."""
    changes_seen: int = 0
    """How many of its rule's changes it has taken in."""


class Sent(Struct, array_like=True):
    """A message of a rule, for caps."""

    at: datetime
    channel: str


class Tally(Struct, array_like=True):
    """How often something came within a short time."""

    at: datetime
    """When that time begins."""
    count: int


class CustomerState(Struct, omit_defaults=True):
    """What the engine keeps of a customer."""

    instances: list[Instance] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    """Within the longest cap."""
    begun: dict[str, list[datetime]] = field(default_factory=dict)
    """By rule and key, as far as a re-entry policy asks."""
    offers: dict[str, list[datetime]] = field(default_factory=dict)

    @property
    def due_at(self) -> datetime | None:
        """When the next thing falls due, if nothing happens before."""
        due = [i.due_at for i in self.instances if i.due_at and not i.is_overdue]
        return min(due, default=None)

    @property
    def held(self) -> list[str]:
        """The paused rules that hold back what fell due."""
        return sorted({i.rule for i in self.instances if i.is_overdue})

    @property
    def size(self) -> int:
        """How many things are kept; of their sizes, nothing is said."""
        return len(self.instances) + len(self.sent) + len(self.begun) + len(self.offers)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return not self.size


class Totals(Struct, omit_defaults=True):
    """What is decided in one place: of all customers together."""

    offers: dict[str, int] = field(default_factory=dict)
    """Issued, by their names."""
    recent: dict[str, list[Tally]] = field(default_factory=dict)
    """Of rules that have a mass limit, by rule and message: how many got it within its time."""


class SeenEvent(Struct, frozen=True):
    """An event as rules see it."""

    position: int
    event_id: UUID
    type: str
    customer_id: str
    data: Mapping[str, Any]
    """Decoded JSON; sensitive values are sealed."""
    at: datetime
    """When it was recorded."""
    occurred_at: datetime
    thing_id: str = ""
    """Of its stream: ``42`` of ``order-42``."""


class Profile(Struct, frozen=True):
    """A customer as the log tells up to some position."""

    customer_id: str
    traits: Mapping[str, Any] = {}
    consents: Mapping[tuple[str, str], bool] = {}
    """By channel and topic: given or withdrawn."""
    suppressed: frozenset[str] = frozenset()
    """Channels by which nothing is to be sent, such as those whose address bounced."""
    is_registered: bool = False
    is_erased: bool = False
