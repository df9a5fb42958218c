"""A message to a customer: requested once, sent by the first channel that works, read perhaps.

Attempts are numbered, and each is begun before anything is sent: of several couriers one begins it,
and what is said of an attempt that is over, or was never begun, is nothing to do.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, assert_never

from msgspec import Struct, field

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive, SensitiveByName
from app.modules.messages.events import (
    INBOX,
    REGISTERED,
    FailureKind,
    MessageBounced,
    MessageDead,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    MessageOpened,
    MessageRead,
    MessageRequested,
    MessageRetried,
    MessageSending,
    MessageSent,
    MessageUnknown,
    Priority,
)
from app.modules.messages.states import (
    Bounced,
    Dead,
    Delivered,
    Dropped,
    Message,
    NotRequested,
    Opened,
    Receipt,
    Requested,
    Sending,
    Undecided,
    Unknown,
    Waiting,
    evolve_message,
    mark_of,
)

MAX_TRIES_A_CHANNEL = 8
"""Before it goes by the next channel."""


class NoSuchMessage(NotFound, Refused):
    """There is no such message."""


class NotSentSo(Refused):
    """The message was never sent by this channel."""


class NotRetryable(Refused):
    """The message is sent, dropped, or on its way already; there is nothing to retry."""


class NotDroppable(Refused):
    """The message is sent, or being sent; there is nothing to drop."""


class RequestMessage(Struct, frozen=True):
    """Tell the customer something; nothing when this message was requested before."""

    kind: str
    text: Sensitive[str | None] = None
    """Either this or a template."""
    priority: Priority = Priority.NORMAL
    template: str | None = None
    parameters: SensitiveByName[Mapping[str, Any]] = field(default_factory=dict)
    channels: tuple[str, ...] = (INBOX,)
    not_before: datetime | None = None


class BeginSending(Struct, frozen=True):
    """Be the one who makes this attempt; nothing when somebody else is, or it is not its turn."""

    channel: str
    attempt: int
    text: Sensitive[str]
    subject: Sensitive[str | None] = None


class NoteSent(Struct, frozen=True):
    """The channel has taken it."""

    attempt: int


class NoteFailed(Struct, frozen=True):
    """The attempt has failed, perhaps before it was begun."""

    attempt: int
    failure: FailureKind
    error: str
    retry_at: datetime
    """If it is to be tried again."""


class NoteUnknown(Struct, frozen=True):
    """Nobody knows what came of the attempt, and it must not be made again."""

    attempt: int
    error: str


class ReceiptStatus(Enum):
    """What a provider says of a message that it was given."""

    DELIVERED = "delivered"
    OPENED = "opened"
    BOUNCED = "bounced"
    """It came back, for this time."""
    BOUNCED_HARD = "bounced_hard"
    """There is no such address, or it wants nothing of us."""
    FAILED = "failed"
    """The provider has given up: as good as one that came back for this time."""


class NoteReceipt(Struct, frozen=True):
    """Take in what a provider says, in whatever order and however often."""

    channel: str
    status: ReceiptStatus
    at: datetime


class RetryMessage(Struct, frozen=True):
    """Try again what nothing would be done about any more, or not so soon."""


class DropMessage(Struct, frozen=True):
    """Do not send it any more."""


class MarkRead(Struct, frozen=True):
    """Note that the customer has seen it."""


AttemptCommand = BeginSending | NoteSent | NoteFailed | NoteUnknown
MessageCommand = (
    RequestMessage | AttemptCommand | NoteReceipt | RetryMessage | DropMessage | MarkRead
)


def decide_message(command: MessageCommand, message: Message) -> Sequence[Event]:
    """What follows from a command to a message."""
    if isinstance(message, NotRequested):
        if not isinstance(command, RequestMessage):
            raise NoSuchMessage
        return (_requested(command),)
    match command:
        case RequestMessage():
            return ()
        case BeginSending() | NoteSent() | NoteFailed() | NoteUnknown():
            return _decide_attempt(command, message)
        case NoteReceipt():
            return _note_receipt(command, message)
        case RetryMessage() | DropMessage():
            return _retry(message) if isinstance(command, RetryMessage) else _drop(message)
        case MarkRead():
            return () if message.is_read else (MessageRead(),)
        case _:
            assert_never(command)


def _requested(command: RequestMessage) -> MessageRequested:
    return MessageRequested(
        command.kind,
        command.text,
        command.priority,
        command.template,
        command.parameters,
        command.channels,
        command.not_before,
    )


def _decide_attempt(command: AttemptCommand, message: Requested) -> Sequence[Event]:
    match command:
        case BeginSending():
            return _begin(command, message)
        case NoteSent():
            return _note_sent(command, message)
        case NoteFailed():
            return _note_failed(command, message)
        case NoteUnknown(attempt, error):
            if not _is_under_way(message, attempt):
                return ()
            return (MessageUnknown(message.status.channel, attempt, error),)
        case _:
            assert_never(command)


def _begin(command: BeginSending, message: Requested) -> Sequence[Event]:
    """What is recorded as being sent to the inbox is there."""
    channel, attempt = command.channel, command.attempt
    if not _is_next(message, attempt) or message.status.channel != channel:
        return ()
    kind, priority = message.request.kind, message.request.priority
    sending = MessageSending(channel, attempt, kind, command.text, command.subject, priority)
    return (sending, MessageSent(channel, attempt)) if channel == INBOX else (sending,)


def _note_sent(command: NoteSent, message: Requested) -> Sequence[Event]:
    """Also when a receipt was faster, or it had been given up as unknown."""
    channel, status = message.status.channel, message.status
    if command.attempt != message.attempts:
        return ()
    if isinstance(status, Sending | Unknown):
        return (MessageSent(channel, command.attempt),)
    is_news = not message.has(channel, "sent")
    if isinstance(status, Delivered | Opened | Bounced) and is_news:
        return (MessageSent(channel, command.attempt),)
    return ()


def _note_failed(command: NoteFailed, message: Requested) -> Sequence[Event]:
    attempt, channel = command.attempt, message.status.channel
    tries = message.tries
    if _is_next(message, attempt):
        tries += 1
    elif not _is_under_way(message, attempt):
        return ()
    if command.failure is not FailureKind.PERMANENT and tries < MAX_TRIES_A_CHANNEL:
        later = command.retry_at
        return (MessageFailed(channel, attempt, command.failure, command.error, retry_at=later),)
    fallback = message.fallback(channel)
    failed = MessageFailed(channel, attempt, command.failure, command.error, fallback=fallback)
    return (failed,) if fallback else (failed, MessageDead())


def _is_next(message: Requested, attempt: int) -> bool:
    return isinstance(message.status, Waiting) and attempt == message.attempts + 1


def _is_under_way(message: Requested, attempt: int) -> bool:
    return isinstance(message.status, Sending) and attempt == message.attempts


def _note_receipt(command: NoteReceipt, message: Requested) -> Sequence[Event]:
    if not message.has(command.channel, "sending"):
        raise NotSentSo
    event = _receipt(command, message)
    return () if message.has(event.channel, mark_of(event)) else (event,)


def _receipt(command: NoteReceipt, message: Requested) -> Receipt:
    channel, at = command.channel, command.at
    match command.status:
        case ReceiptStatus.DELIVERED:
            return MessageDelivered(channel, at)
        case ReceiptStatus.OPENED:
            return MessageOpened(channel, at)
        case ReceiptStatus.BOUNCED | ReceiptStatus.FAILED:
            return MessageBounced(channel, False, at, _after_bounce(channel, message))
        case ReceiptStatus.BOUNCED_HARD:
            return MessageBounced(channel, True, at, _after_bounce(channel, message))
        case _:
            assert_never(command.status)


def _after_bounce(channel: str, message: Requested) -> str | None:
    """The next channel, unless another one has it by now, or the customer has seen it."""
    status = message.status
    is_here = status.channel == channel and isinstance(status, Undecided | Delivered)
    return message.fallback(channel) if is_here and not isinstance(status, Dead) else None


def _retry(message: Requested) -> Sequence[Event]:
    match message.status:
        case Dead() | Bounced():
            return (MessageRetried(message.request.channels[0]),)
        case Unknown(channel):
            return (MessageRetried(channel),)
        case Waiting(channel) if message.tries:
            return (MessageRetried(channel),)
        case _:
            raise NotRetryable


def _drop(message: Requested) -> Sequence[Event]:
    match message.status:
        case Waiting() | Unknown() | Dead() | Bounced():
            return (MessageDropped(),)
        case Dropped():
            return ()
        case _:
            raise NotDroppable


MESSAGE: Decider[MessageCommand, Message] = Decider(
    category="message",
    initial=NotRequested(),
    decide=decide_message,
    evolve=evolve_message,
    events=REGISTERED,
)
"""What happens to a message to a customer."""
