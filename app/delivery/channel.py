"""The port of channels: what is sent, and what may come of it."""

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import Protocol

from msgspec import Struct

from app.kernel.errors import TidingsError
from app.kernel.ids import derived_event_id


class NotNow(TidingsError):
    """It was not taken this time, and may be another time."""

    def __init__(self, message: str, *, after: timedelta | None = None) -> None:
        """`after`: what the destination asks to be left alone for."""
        super().__init__(message)
        self.after = after


class DestinationDown(NotNow):
    """The destination does not answer at all, to nobody's messages."""


class NeverSo(TidingsError):
    """It would be refused again."""


class AddressRefused(NeverSo):
    """There is no such address: nothing is ever to be sent there."""


class OutcomeUnknown(TidingsError):
    """The connection was lost when it may have been taken already."""


class AfterInterruption(Enum):
    """What is done about an attempt that a courier began and did not end."""

    SEND_AGAIN = "send again"
    """Under the same id, by which the destination knows it."""
    GIVE_UP = "give up"
    """As unknown: the destination would take it for another one."""


class Outgoing(Struct, frozen=True):
    """A message as it is handed to a channel."""

    message_id: str
    customer_id: str
    kind: str
    text: str
    subject: str | None = None
    html: str | None = None
    address: str | None = None
    """Where the channel has one: in plain, for as long as it takes to send it."""
    priority: str = "normal"

    @property
    def stable_id(self) -> str:
        """What the message is called at the destination, however often it is sent."""
        return derived_event_id("courier", "message", self.message_id, 0).hex


class Channel(Protocol):
    """A way to reach customers."""

    @property
    def name(self) -> str:
        """As rules and requests name it."""
        ...

    @property
    def address_trait(self) -> str | None:
        """The customer's trait that is the address; None: it needs none."""
        ...

    @property
    def after_interruption(self) -> AfterInterruption:
        """See there."""
        ...

    async def send(self, outgoing: Outgoing) -> None:
        """Hand it over. Returning means that the destination has taken it.

        Bounded in time. Raises `NotNow`, `NeverSo` and their kinds, or `OutcomeUnknown`; what else
        it raises is held to be `OutcomeUnknown`, or `NotNow` where it is sent again.
        """
        ...


Channels = Sequence[Channel]
