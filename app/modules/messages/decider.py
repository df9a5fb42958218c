"""A message to a customer: requested once, read perhaps."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.messages.events import MessageRead, MessageRequested, Priority


class NoSuchMessage(NotFound, Refused):
    """There is no such message."""


class RequestMessage(Struct, frozen=True):
    """Tell the customer something; nothing when this message was requested before."""

    kind: str
    text: Sensitive[str]
    priority: Priority = Priority.NORMAL


class MarkRead(Struct, frozen=True):
    """Note that the customer has seen it."""


MessageCommand = RequestMessage | MarkRead


class NotRequested(Struct, frozen=True):
    """There is no message."""


class Unread(Struct, frozen=True):
    """It waits in the inbox."""


class Read(Struct, frozen=True):
    """It was seen."""


Message = NotRequested | Unread | Read


def decide_message(command: MessageCommand, message: Message) -> Sequence[Event]:
    """What follows from a command to a message."""
    match command:
        case RequestMessage(kind, text, priority):
            is_new = isinstance(message, NotRequested)
            return (MessageRequested(kind, text, priority),) if is_new else ()
        case MarkRead():
            return _mark_read(message)
        case _:
            assert_never(command)


def _mark_read(message: Message) -> Sequence[Event]:
    match message:
        case NotRequested():
            raise NoSuchMessage
        case Unread():
            return (MessageRead(),)
        case Read():
            return ()
        case _:
            assert_never(message)


def evolve_message(_: Message, event: Event) -> Message:
    """The message after an event."""
    match event:
        case MessageRequested():
            return Unread()
        case MessageRead():
            return Read()
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a message")


MESSAGE: Decider[MessageCommand, Message] = Decider(
    category="message",
    initial=NotRequested(),
    decide=decide_message,
    evolve=evolve_message,
    events=(MessageRequested, MessageRead),
)
