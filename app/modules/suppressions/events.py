"""What happens to the channels by which a customer gets nothing."""

from enum import Enum
from typing import ClassVar

from app.kernel.event import Event


class Reason(Enum):
    """Why nothing is sent by a channel."""

    HARD_BOUNCE = "hard_bounce"
    """The address does not exist, or takes nothing from us."""
    COMPLAINT = "complaint"
    """The customer called what we sent unwanted."""
    ASKED = "asked"
    """The customer asked for it."""
    MANUAL = "manual"


class ChannelSuppressed(Event, frozen=True):
    """Nothing is sent to the customer by the channel, whatever it is about."""

    tag: ClassVar[str] = "suppression.added"
    title: ClassVar[str] = "Stopped sending by {channel} ({reason})"

    channel: str
    reason: Reason


class SuppressionLifted(Event, frozen=True):
    """The channel may be used again."""

    tag: ClassVar[str] = "suppression.lifted"
    title: ClassVar[str] = "Allowed sending by {channel} again"

    channel: str


REGISTERED = (ChannelSuppressed, SuppressionLifted)
"""The event types of this module, for the catalogue."""
