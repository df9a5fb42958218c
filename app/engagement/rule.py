"""A rule as a team writes it: data, in JSON; `docs/reference/rules.md` says what its words mean.

Conditions and other expressions are CEL (the Common Expression Language); they see `event` (what
has just happened), `trigger` (what the rule began with) and `profile` (the customer, as folded from
the log up to the event). Time is the store's, as `recorded_at` tells it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

from msgspec import Meta, Struct

from app.kernel.forms import DURATION, LOCAL_TIME

MAX_EXPRESSION_CHARACTERS = 2_000
MAX_STEPS = 50
"""Of a rule, those of all branches together."""
MAX_BRANCH_DEPTH = 5
MAX_EVENT_TYPES = 20
"""That one pattern or step waits for."""

Duration = Annotated[
    str,
    Meta(
        pattern=DURATION,
        description="A number and a unit: s, m, h, d (24 hours) or w.",
        examples=["24h"],
    ),
]
Expression = Annotated[str, Meta(min_length=1, max_length=MAX_EXPRESSION_CHARACTERS)]
EventType = Annotated[str, Meta(min_length=1, max_length=200, examples=["Order Placed"])]
# In Python, $ alone would let a final line feed through.
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)")]
LocalTime = Annotated[str, Meta(pattern=LOCAL_TIME, examples=["18:00"])]
# Of 64 bits: what the engine keeps could not be written down otherwise, and all rules would stop.
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Many = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """Events of a type, of the same customer, for which a condition holds."""

    event: EventType
    where: Expression | None = None
    """Of type bool."""


class Trigger(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule begins with."""

    event: EventType
    where: Expression | None = None
    key: Expression | None = None
    """Tells instances of one customer apart, such as ``event.data.cart_id``; else there is one.

    Evaluated on each event that the rule looks at: those whose key is another one, or that have
    none, belong to other instances.
    """


class Absence(Struct, frozen=True, forbid_unknown_fields=True, tag_field="is", tag="absence"):
    """None of these has followed within a time. One that follows ends it quietly."""

    of: Annotated[tuple[Match, ...], Meta(min_length=1, max_length=MAX_EVENT_TYPES)]
    within: Duration
    again: Annotated[
        str,
        Meta(
            pattern=r"^(restart|ignore)$(?!\n)",
            description="What another trigger does.",
            examples=["restart"],
        ),
    ] = "restart"


class Count(Struct, frozen=True, forbid_unknown_fields=True, tag_field="is", tag="count"):
    """The trigger has come so many times within a time, the last one included."""

    at_least: Annotated[int, Meta(ge=1, le=1_000)]
    within: Duration


class Sum(Struct, frozen=True, forbid_unknown_fields=True, tag_field="is", tag="sum"):
    """What the triggers within a time add up to is over a limit, the last one included."""

    of: Expression
    """Of type int, for sums of floats depend on their order."""
    over: Whole
    within: Duration


class Sequence(Struct, frozen=True, forbid_unknown_fields=True, tag_field="is", tag="sequence"):
    """The trigger is followed by another event within a time; else it ends quietly."""

    then: Match
    within: Duration


Pattern = Absence | Count | Sum | Sequence


class Priority(Enum):
    """How urgent what a rule says is."""

    CRITICAL = "critical"
    """Such as a warning of fraud: caps and quiet hours are not asked."""
    NORMAL = "normal"
    LOW = "low"


class SendMessage(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="send"):
    """Send a message by the first of the channels that works."""

    kind: Name
    """What it is about; what consents are given to: its topic."""
    channels: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=5)] = ("inbox",)
    template: Name | None = None
    text: Annotated[str, Meta(min_length=1, max_length=4_000)] | None = None
    """Either of the two."""
    parameters: Mapping[Name, Expression] = {}
    """What the template may name, besides `profile`."""
    id: Name = "message"
    """Told apart from other messages of the rule."""


class IssueOffer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="offer"):
    """Issue an offer: a unique code that expires. Later messages name it `offer.code`."""

    offer: Name
    expires_in: Duration
    per_customer: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """At most so many of this offer, ever or `each`."""
    each: Duration | None = None
    in_total: Many | None = None


class RecordEvent(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="record"):
    """Record an event on the customer's timeline, as a service would."""

    type: EventType
    data: Mapping[str, Expression] = {}


class CallCommand(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="command"):
    """Call a command of a module, as it stands in the API: ``transactions/flag``."""

    command: Annotated[str, Meta(pattern=r"^[a-z-]+/[a-z-]+$(?!\n)")]
    id: Expression
    """Of the thing that it is for; of type string."""
    fields: Mapping[str, Expression] = {}


class Wait(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="wait"):
    """Wait for a time, until a local time, or until one of these events comes: one of the three."""

    time: Duration | None = None
    local_time: LocalTime | None = None
    """The next one of the customer's; see `Limits.quiet_hours` for whose clock that is."""
    event: Match | None = None
    at_most: Duration | None = None
    """With `event`."""
    otherwise: Annotated[str, Meta(pattern=r"^(go_on|end)$(?!\n)")] = "end"
    """When the event has not come by then."""


class Branch(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="branch"):
    """Go on one way or the other; then with what follows the branch."""

    condition: Expression
    then: "tuple[Step, ...]"
    otherwise: "tuple[Step, ...]" = ()


class End(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="end"):
    """End here."""

    because: Annotated[str, Meta(max_length=200)] = ""
    """What the decision says when nothing was done."""


Step = SendMessage | IssueOffer | RecordEvent | CallCommand | Wait | Branch | End


class Goal(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule is for; reached, it ends what still runs. Measured for the held-out as well."""

    event: EventType
    where: Expression | None = None
    within: Duration = "30d"


class ReEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a rule may begin for one customer and key."""

    at_most: Annotated[int, Meta(ge=1, le=1_000, examples=[1])] | None = None
    each: Duration | None = None
    """Such as once in 30d; without: ever."""


class MassLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """When more customers than this get it within a time, something else is wrong: hold it back."""

    more_than: Many
    within: Duration


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What may hold a rule's messages back, beside what holds for all (`Settings`)."""

    consent: bool = True
    """Whether one must have been given for the channel and the kind; never one withdrawn."""
    quiet_hours: Annotated[
        str, Meta(pattern=r"^(defer|drop|ignore)$(?!\n)", examples=["defer"])
    ] = "defer"
    caps: bool = True
    re_entry: ReEntry = ReEntry()
    mass: MassLimit | None = None


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule: when it begins, what must come of it, what it does, and what holds it back."""

    trigger: Trigger
    steps: Annotated[
        tuple[Step, ...],
        Meta(
            min_length=1,
            max_length=MAX_STEPS,
            examples=[[{"do": "send", "kind": "thanks", "text": "Thank you for your order."}]],
        ),
    ]
    pattern: Pattern | None = None
    """None: the trigger is all."""
    priority: Priority = Priority.NORMAL
    limits: Limits = Limits()
    goal: Goal | None = None
    holdout: Percent = 0
    """Of the customers, who are decided on and get nothing."""
    description: Annotated[str, Meta(max_length=1_000)] = ""


class Cap(Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many messages of rules to a customer within a time."""

    at_most: Annotated[int, Meta(ge=1, le=1_000)]
    within: Duration
    channel: Name | None = None
    """None: by all channels together."""


class QuietHours(Struct, frozen=True, forbid_unknown_fields=True):
    """When no message of a rule goes out: by the customer's clock (the trait `time_zone`)."""

    begin: LocalTime
    end: Annotated[LocalTime, Meta(examples=["08:00"])]
    """May be before the begin: over midnight."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for all rules."""

    time_zone: Annotated[str, Meta(max_length=100, examples=["Europe/Berlin"])] = "UTC"
    """Of customers who have none, or one that is none: an IANA name."""
    quiet_hours: QuietHours | None = None
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20)] = ()
