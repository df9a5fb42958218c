"""What a backtest is asked, and what it answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.engagement.course import Decided
from app.engagement.events import DecisionMade, Held, Outcome
from app.engagement.replay import Trial
from app.engagement.rule import Rule

MAX_SHOWN_DECISIONS = 1_000_000
DEFAULT_SHOWN_DECISIONS = 100
BYTES_A_CUSTOMER_COUNTED = 150
"""About so much memory is taken by one who is counted once, by their id."""


class Period(Struct, frozen=True):
    """A time of the log."""

    begin: datetime
    """Inclusive."""
    end: datetime
    """Exclusive."""


class Progress(Struct, frozen=True):
    """How far it has come."""

    position: Annotated[int, Meta(examples=[500_000])]
    end: Annotated[int, Meta(examples=[1_200_000])]
    """The position up to which it goes."""


class Shown(Struct, frozen=True):
    """A decision, without what it has seen."""

    customer_id: Annotated[str, Meta(examples=["anna"])]
    at: datetime
    rule_version: Annotated[int, Meta(examples=[2])]
    step: Annotated[str, Meta(examples=["pattern"])]
    outcome: Outcome
    held: Annotated[Sequence[Held], Meta(examples=[[]])]
    did: Annotated[Sequence[str], Meta(examples=[["send"]])]
    """``send``, ``offer``, ``record`` or ``command``."""
    is_compared: Annotated[bool, Meta(examples=[False])]
    """Whether it is of what is compared with."""


class Tested(Struct, frozen=True):
    """What came of one version, or of the rule as it was."""

    version: Annotated[int | None, Meta(examples=[2])]
    """Null: as the rule was, in whatever versions."""
    customers: Annotated[int, Meta(examples=[950])]
    """On whom anything was decided."""
    reached: Annotated[int, Meta(examples=[900])]
    """Customers for whom something was done."""
    outcomes: Annotated[Mapping[str, int], Meta(examples=[{"acted": 900, "held_back": 50}])]
    held: Annotated[Mapping[str, int], Meta(examples=[{"no_consent": 50}])]
    """Decisions by reason, of those that were held back or ended."""
    did: Annotated[Mapping[str, int], Meta(examples=[{"send": 900}])]
    """What was done, and how often."""
    left_out: Annotated[int, Meta(examples=[0])]
    """Customers of whom something could not be evaluated, as the engine would park them."""


class Difference(Struct, frozen=True):
    """Customers for whom something was done."""

    both: int
    only_tested: int
    only_compared: int


class Summary(Struct, frozen=True):
    """What came of a backtest."""

    rule: Annotated[str, Meta(examples=["win-back"])]
    begin: Annotated[datetime, Meta(examples=["2026-11-01T00:00:00Z"])]
    end: datetime
    begun_at_position: Annotated[int, Meta(examples=[310_000])]
    """After which events were looked at, so that what runs when the period begins is known."""
    end_position: Annotated[int, Meta(examples=[1_200_000])]
    events: Annotated[int, Meta(examples=[640_000])]
    """Looked at by rules."""
    tested: Tested
    compared: Tested | None
    difference: Difference | None


class Asked(Struct, frozen=True):
    """What to test."""

    period: Period
    version: int | None = None
    rule: Rule | None = None
    """A draft; without both, the rule as it was."""
    compare_with: int | None = None
    """Another version."""
    decisions: int = DEFAULT_SHOWN_DECISIONS
    """How many to show."""


class Tally:
    """Counts what was decided."""

    def __init__(self, version: int | None) -> None:
        """Begin with nothing; None: of the rule as it was."""
        self._version = version
        self._outcomes: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._did: Counter[str] = Counter()
        self._customers: set[str] = set()
        self.reached: set[str] = set()
        """Customers for whom something was done."""

    def add(self, customer_id: str, made: DecisionMade) -> None:
        """One more."""
        self._customers.add(customer_id)
        self._outcomes[made.outcome.value] += 1
        if made.outcome is Outcome.ACTED:
            self.reached.add(customer_id)
        else:
            self._held.update({held.by for held in made.held})
        self._did.update(did.what for did in made.did)

    @property
    def bytes(self) -> int:
        """About so much memory is taken by the customers."""
        return (len(self._customers) + len(self.reached)) * BYTES_A_CUSTOMER_COUNTED

    def tested(self, trial: Trial) -> Tested:
        """The sums."""
        return Tested(
            self._version,
            len(self._customers),
            len(self.reached),
            dict(self._outcomes),
            dict(self._held),
            dict(self._did),
            len(trial.troubled),
        )


def difference_of(tested: Tally, compared: Tally) -> Difference:
    """Whom one has reached, and the other has not."""
    return Difference(
        both=len(tested.reached & compared.reached),
        only_tested=len(tested.reached - compared.reached),
        only_compared=len(compared.reached - tested.reached),
    )


def shown_of(decided: Decided, *, is_compared: bool) -> Shown:
    """A decision as it is shown."""
    made = decided.decision.made
    return Shown(
        decided.customer_id,
        made.at,
        made.rule_version,
        made.step,
        made.outcome,
        made.held,
        [did.what for did in made.did],
        is_compared,
    )
