"""What happens to messages to customers: requested, sent by one channel or the other, read."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

from msgspec import field

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive, SensitiveByName

INBOX = "inbox"
"""The channel that is the store's own: what is recorded as being sent there is there."""


class Priority(Enum):
    """How urgent a message is."""

    HIGH = "high"
    """Such as a warning of fraud: it waits for nothing."""
    NORMAL = "normal"
    LOW = "low"


class FailureKind(Enum):
    """Why an attempt came to nothing, as far as it decides what is done next."""

    TEMPORARY = "temporary"
    """Such as a network that is down, a mailbox that is full, a server that is overloaded."""
    INTERRUPTED = "interrupted"
    """The courier ended in the middle; it is sent again under the same id, which does no harm."""
    PERMANENT = "permanent"
    """It would fail again: no address, no such template, refused for good."""


class MessageRequested(Event, frozen=True):
    """The customer is to be told something."""

    tag: ClassVar[str] = "message.requested"
    title: ClassVar[str] = "Message: {text}"

    kind: str
    """What it is about, in the words of whoever sends it, such as ``order-confirmed``."""
    text: Sensitive[str | None] = None
    """None: what the template says."""
    priority: Priority = Priority.NORMAL
    template: str | None = None
    parameters: SensitiveByName[Mapping[str, Any]] = field(default_factory=dict)
    """What the template may name."""
    channels: tuple[str, ...] = (INBOX,)
    """By which it is sent: by the first of them that works."""
    not_before: datetime | None = None

    @property
    def is_in_inbox(self) -> bool:
        """Whether it is there by being requested: nothing has to be rendered or waited for.

        `projections/inbox/apply.sql` says the same.
        """
        return self.channels[0] == INBOX and self.text is not None and self.not_before is None


class MessageSending(Event, frozen=True):
    """It is about to be sent; what comes of it is recorded when it is known."""

    tag: ClassVar[str] = "message.sending"
    title: ClassVar[str] = "Sending a message by {channel}: {text}"

    channel: str
    attempt: int
    """From 1, by all channels together."""
    kind: str
    text: Sensitive[str]
    """The words, as the customer gets them."""
    subject: Sensitive[str | None] = None
    priority: Priority = Priority.NORMAL


class MessageSent(Event, frozen=True):
    """The channel has taken it."""

    tag: ClassVar[str] = "message.sent"
    title: ClassVar[str] = "Sent a message by {channel}"

    channel: str
    attempt: int


class MessageDelivered(Event, frozen=True):
    """It has arrived, as the channel's provider says."""

    tag: ClassVar[str] = "message.delivered"
    title: ClassVar[str] = "Message delivered by {channel}"

    channel: str
    at: datetime


class MessageOpened(Event, frozen=True):
    """The customer has looked at it, as the channel's provider says."""

    tag: ClassVar[str] = "message.opened"
    title: ClassVar[str] = "Message opened ({channel})"

    channel: str
    at: datetime


class MessageBounced(Event, frozen=True):
    """It came back, as the channel's provider says."""

    tag: ClassVar[str] = "message.bounced"
    title: ClassVar[str] = "Message bounced ({channel})"

    channel: str
    hard: bool
    """Whether there is no such address; else it may work another time."""
    at: datetime
    fallback: str | None = None
    """The channel that it goes by next."""


class MessageFailed(Event, frozen=True):
    """An attempt has failed."""

    tag: ClassVar[str] = "message.failed"
    title: ClassVar[str] = "Sending a message by {channel} failed: {error}"

    channel: str
    attempt: int
    failure: FailureKind
    error: str
    """In our words, or a server's code: never what it was sent."""
    retry_at: datetime | None = None
    """When it is tried again by the same channel; None: never."""
    fallback: str | None = None
    """The channel that it goes by next, without delay."""


class MessageUnknown(Event, frozen=True):
    """It may have been sent, or not, and sending it again might tell the customer twice."""

    tag: ClassVar[str] = "message.unknown"
    title: ClassVar[str] = "Nobody knows whether a message was sent by {channel}"

    channel: str
    attempt: int
    error: str


class MessageDead(Event, frozen=True):
    """Every channel has failed; nothing more is tried unless somebody asks for it."""

    tag: ClassVar[str] = "message.dead"
    title: ClassVar[str] = "A message could not be sent"


class MessageRetried(Event, frozen=True):
    """Somebody wants it tried again, from this channel on."""

    tag: ClassVar[str] = "message.retried"
    title: ClassVar[str] = "Trying to send a message by {channel} again"

    channel: str


class MessageDropped(Event, frozen=True):
    """It is not to be sent any more."""

    tag: ClassVar[str] = "message.dropped"
    title: ClassVar[str] = "Dropped a message"


class MessageRead(Event, frozen=True):
    """The customer has seen it in the inbox."""

    tag: ClassVar[str] = "message.read"
    title: ClassVar[str] = "Read a message"


REGISTERED = (
    MessageRequested,
    MessageSending,
    MessageSent,
    MessageDelivered,
    MessageOpened,
    MessageBounced,
    MessageFailed,
    MessageUnknown,
    MessageDead,
    MessageRetried,
    MessageDropped,
    MessageRead,
)
"""The event types of this module, for the catalogue."""
