"""What happens to a question of a customer, and in what we write back by ourselves."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from msgspec import Struct

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.support.desks import Limit


class Deadline(Struct, frozen=True):
    """A clock that runs: when its business time is used up, if nothing stops it."""

    due_at: datetime
    warn_at: datetime | None
    """None: there has been a warning, or there is no more time for one."""


class TimeLeft(Struct, frozen=True):
    """A clock that stands still: how much business time it has left."""

    business_time: timedelta
    is_warned: bool


class QuestionOpened(Event, frozen=True):
    """The customer asks something. The clocks run, but not for a machine's message."""

    tag: ClassVar[str] = "support.question_opened"
    title: ClassVar[str] = "Asked about {topic} by {channel}"

    customer_id: str
    text: Sensitive[str]
    channel: str
    topic: str
    is_automatic: bool
    """Whether the message says that a machine wrote it."""
    desk: str
    time_zone: str
    """An IANA name: whose clocks the opening hours are by."""
    first_response: Deadline | None
    resolution: Deadline | None


class QuestionAnswered(Event, frozen=True):
    """We answered. The first answer by a person is the first response."""

    tag: ClassVar[str] = "support.question_answered"
    title: ClassVar[str] = "Answered: {text}"

    text: Sensitive[str]
    is_automatic: bool
    at: datetime


class CustomerAwaited(Event, frozen=True):
    """It is the customer's turn: the clocks stand still."""

    tag: ClassVar[str] = "support.customer_awaited"
    title: ClassVar[str] = "Waiting for the customer"

    first_response: TimeLeft | None
    """None: there is nothing to wait for any more, it was in time or is overdue."""
    resolution: TimeLeft | None


class CustomerReplied(Event, frozen=True):
    """The customer wrote again about the question."""

    tag: ClassVar[str] = "support.customer_replied"
    title: ClassVar[str] = "Wrote again: {text}"

    reply_id: str
    text: Sensitive[str]
    is_automatic: bool


class QuestionResumed(Event, frozen=True):
    """It is our turn again: the clocks run on."""

    tag: ClassVar[str] = "support.question_resumed"
    title: ClassVar[str] = "Taken up again"

    first_response: Deadline | None
    resolution: Deadline | None


class QuestionResolved(Event, frozen=True):
    """The question is settled."""

    tag: ClassVar[str] = "support.question_resolved"
    title: ClassVar[str] = "Resolved"


class QuestionReopened(Event, frozen=True):
    """It was not settled after all: the clocks begin anew."""

    tag: ClassVar[str] = "support.question_reopened"
    title: ClassVar[str] = "Reopened"

    first_response: Deadline | None
    """None: it was answered before."""
    resolution: Deadline | None


class DeadlineNeared(Event, frozen=True):
    """There is little time left."""

    tag: ClassVar[str] = "support.deadline_neared"
    title: ClassVar[str] = "Deadline is near ({limit})"

    limit: Limit
    due_at: datetime


class QuestionEscalated(Event, frozen=True):
    """The time is used up: somebody above has to see to it."""

    tag: ClassVar[str] = "support.question_escalated"
    title: ClassVar[str] = "Escalated, the deadline has passed ({limit})"

    limit: Limit
    due_at: datetime


class QuestionAcknowledged(Event, frozen=True):
    """The customer is told that the question has come, and what it is called by."""

    tag: ClassVar[str] = "support.question_acknowledged"
    title: ClassVar[str] = "Acknowledged as {reference}"

    question_id: str
    reference: str
    at: datetime


class AcknowledgementWithheld(Event, frozen=True):
    """There was too much of it lately: a machine seems to answer our acknowledgements."""

    tag: ClassVar[str] = "support.acknowledgement_withheld"
    title: ClassVar[str] = "Not acknowledged ({reason})"

    question_id: str
    reason: Literal["loop"]
    at: datetime


REGISTERED = (
    QuestionOpened,
    QuestionAnswered,
    CustomerAwaited,
    CustomerReplied,
    QuestionResumed,
    QuestionResolved,
    QuestionReopened,
    DeadlineNeared,
    QuestionEscalated,
    QuestionAcknowledged,
    AcknowledgementWithheld,
)
"""The module's event types, for the catalogue."""
