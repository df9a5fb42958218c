"""Where a message has come to: what its events have made of it."""

from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.messages.events import (
    INBOX,
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
)

Receipt: TypeAlias = MessageDelivered | MessageOpened | MessageBounced


class Waiting(Struct, frozen=True, tag="waiting"):
    """It is to be sent by a channel, at once or from a time on."""

    channel: str
    not_before: datetime | None = None


class Sending(Struct, frozen=True, tag="sending"):
    """A courier sends it, or has ended in the middle of it."""

    channel: str


class Sent(Struct, frozen=True, tag="sent"):
    """The channel has taken it."""

    channel: str


class Delivered(Struct, frozen=True, tag="delivered"):
    """It has arrived."""

    channel: str


class Opened(Struct, frozen=True, tag="opened"):
    """The customer has looked at it."""

    channel: str


class Bounced(Struct, frozen=True, tag="bounced"):
    """It came back, and there is no other channel."""

    channel: str


class Unknown(Struct, frozen=True, tag="unknown"):
    """It may have been sent, or not."""

    channel: str


class Dead(Struct, frozen=True, tag="dead"):
    """Every channel has failed."""

    channel: str


class Dropped(Struct, frozen=True, tag="dropped"):
    """It is not to be sent any more."""

    channel: str


Status: TypeAlias = (
    Waiting | Sending | Sent | Delivered | Opened | Bounced | Unknown | Dead | Dropped
)
"""`channel` is the one that it goes, or went, by last."""

Undecided: TypeAlias = Waiting | Sending | Sent | Unknown | Dead
"""What a receipt still changes; Dead, too: it may have been sent, though the answers were lost."""


class NotRequested(Struct, frozen=True):
    """There is no message."""


class Requested(Struct, frozen=True):
    """There is one."""

    request: MessageRequested
    status: Status
    attempts: int = 0
    """By all channels together."""
    tries: int = 0
    """By the channel that it goes by now."""
    receipts: frozenset[tuple[str, str]] = frozenset()
    """Channels, and what is known of each: ``sending``, ``sent``, ``delivered`` …"""
    error: str | None = None
    """Why the last attempt came to nothing."""
    is_read: bool = False

    def has(self, channel: str, what: str) -> bool:
        """Whether this is recorded of a channel."""
        return (channel, what) in self.receipts

    def fallback(self, channel: str) -> str | None:
        """The channel behind this one, if there is one."""
        channels = self.request.channels
        following = channels[channels.index(channel) + 1 :] if channel in channels else ()
        return following[0] if following else None


Message: TypeAlias = NotRequested | Requested


def mark_of(receipt: Receipt) -> str:
    """What a receipt is remembered as, so that the same is recorded once."""
    match receipt:
        case MessageDelivered():
            return "delivered"
        case MessageOpened():
            return "opened"
        case MessageBounced(hard=hard):
            return "bounced hard" if hard else "bounced"
        case _:
            assert_never(receipt)


def evolve_message(message: Message, event: Event) -> Message:
    """The message after an event."""
    match event, message:
        case MessageRequested(), _:
            return _requested(event)
        case MessageRead(), Requested():
            return replace(message, is_read=True)
        case ((MessageDelivered() | MessageOpened() | MessageBounced()), Requested()):
            noted = _noted(message, event.channel, mark_of(event))
            return replace(noted, status=_after_receipt(message.status, event))
        case ((MessageSending() | MessageSent() | MessageFailed() | MessageUnknown()), Requested()):
            return _after_attempt(message, event)
        case ((MessageDead() | MessageRetried() | MessageDropped()), Requested()):
            return _given_up_or_not(message, event)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a message")


def _requested(event: MessageRequested) -> Requested:
    if event.is_in_inbox:
        return _noted(_noted(Requested(event, Sent(INBOX)), INBOX, "sending"), INBOX, "sent")
    return Requested(event, Waiting(event.channels[0], event.not_before))


def _after_attempt(
    message: Requested, event: MessageSending | MessageSent | MessageFailed | MessageUnknown
) -> Requested:
    match event:
        case MessageSending():
            begun = replace(
                message,
                status=Sending(event.channel),
                attempts=event.attempt,
                tries=message.tries + 1,
            )
            return _noted(begun, event.channel, "sending")
        case MessageSent():
            is_news = isinstance(message.status, Sending | Unknown)
            noted = _noted(message, event.channel, "sent")
            return replace(noted, status=Sent(event.channel)) if is_news else noted
        case MessageFailed():
            return _after_failure(message, event)
        case MessageUnknown():
            return replace(message, status=Unknown(event.channel), error=event.error)
        case _:
            assert_never(event)


def _given_up_or_not(
    message: Requested, event: MessageDead | MessageRetried | MessageDropped
) -> Requested:
    channel = message.status.channel
    match event:
        case MessageDead():
            return replace(message, status=Dead(channel))
        case MessageRetried():
            return replace(message, status=Waiting(event.channel), tries=0)
        case MessageDropped():
            return replace(message, status=Dropped(channel))
        case _:
            assert_never(event)


def _after_failure(message: Requested, event: MessageFailed) -> Requested:
    """One that was never begun is counted as a try here."""
    was_begun = event.attempt == message.attempts
    failed = replace(message, attempts=event.attempt, error=event.error)
    if event.fallback is not None:
        return replace(failed, status=Waiting(event.fallback), tries=0)
    tries = message.tries if was_begun else message.tries + 1
    return replace(failed, status=Waiting(event.channel, event.retry_at), tries=tries)


def _after_receipt(status: Status, event: Receipt) -> Status:
    """Receipts come in any order, and late: what says more stands."""
    if status.channel != event.channel:
        return status
    match event:
        case MessageDelivered():
            return Delivered(event.channel) if isinstance(status, Undecided) else status
        case MessageOpened():
            is_news = isinstance(status, Undecided | Delivered | Bounced)
            return Opened(event.channel) if is_news else status
        case MessageBounced(fallback=str() as fallback):
            return Waiting(fallback)
        case MessageBounced():
            is_news = isinstance(status, Undecided | Delivered)
            return Bounced(event.channel) if is_news else status
        case _:
            assert_never(event)


def _noted(message: Requested, channel: str, what: str) -> Requested:
    return replace(message, receipts=message.receipts | {(channel, what)})
