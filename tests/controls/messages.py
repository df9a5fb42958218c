"""A message to Anna, and what happens to it."""

from datetime import UTC, datetime, timedelta

from app.modules.messages.decider import (
    BeginSending,
    DropMessage,
    MarkRead,
    NoteFailed,
    NoteReceipt,
    NoteSent,
    NoteUnknown,
    ReceiptStatus,
    RequestMessage,
    RetryMessage,
)
from app.modules.messages.events import (
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

MESSAGE_ID = "order-confirmed:42"
TEXT = "Your order 42 is on its way."
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
CHANNELS = ("email", "webhook")

request = RequestMessage("order-confirmed", TEXT)
request_by_mail = RequestMessage("order-confirmed", TEXT, channels=CHANNELS)
begin = BeginSending("email", 1, TEXT)
note_sent = NoteSent(1)
note_failed = NoteFailed(1, FailureKind.TEMPORARY, "451", LATER)
note_refused = NoteFailed(1, FailureKind.PERMANENT, "554", LATER)
note_unknown = NoteUnknown(1, "lost")
retry = RetryMessage()
drop = DropMessage()
mark_read = MarkRead()

requested = MessageRequested("order-confirmed", TEXT, Priority.NORMAL)
requested_by_mail = MessageRequested("order-confirmed", TEXT, channels=CHANNELS)
sending = MessageSending("email", 1, "order-confirmed", TEXT)
sent = MessageSent("email", 1)
delivered = MessageDelivered("email", AT)
opened = MessageOpened("email", AT)
bounced = MessageBounced("email", True, AT, "webhook")
failed = MessageFailed("email", 1, FailureKind.TEMPORARY, "451", LATER)
refused = MessageFailed("email", 1, FailureKind.PERMANENT, "554", fallback="webhook")
unknown = MessageUnknown("email", 1, "lost")
dead = MessageDead()
retried = MessageRetried("email")
dropped = MessageDropped()
read = MessageRead()

under_way = (requested_by_mail, sending)


def receipt(status: ReceiptStatus, channel: str = "email") -> NoteReceipt:
    return NoteReceipt(channel, status, AT)
