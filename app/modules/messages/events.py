"""What happens to a message to a customer."""

from enum import Enum
from typing import ClassVar

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive


class Priority(Enum):
    """How urgent a message is."""

    HIGH = "high"
    """Such as a warning of fraud: it waits for nothing."""
    NORMAL = "normal"
    LOW = "low"


class MessageRequested(Event, frozen=True):
    """The customer is to be told something."""

    tag: ClassVar[str] = "message.requested"
    title: ClassVar[str] = "Message: {text}"

    kind: str
    """What it is about, in the words of whoever sends it, such as ``order-confirmed``."""
    text: Sensitive[str]
    priority: Priority = Priority.NORMAL


class MessageRead(Event, frozen=True):
    """The customer has seen it in the inbox."""

    tag: ClassVar[str] = "message.read"
    title: ClassVar[str] = "Read a message"


REGISTERED = (MessageRequested, MessageRead)
"""The event types of this module, for the catalogue."""
