"""What happens while a title is played on a device, and to a subscription."""

from datetime import datetime
from typing import ClassVar, Literal

from app.kernel.event import Event

LapseReason = Literal["cancelled", "unpaid"]
"""Why a subscription is over."""


class PlaybackStarted(Event, frozen=True):
    """A customer plays a title on a device."""

    tag: ClassVar[str] = "playback.started"
    title: ClassVar[str] = "Started {title_id} on {device_id}"

    customer_id: str
    title_id: str
    device_id: str
    progress_s: int
    """How far into the title."""
    length_s: int | None = None
    """Of the title, where the player knows it."""


class PlaybackReport(Event, frozen=True):
    """What all that a player says later has in common."""

    title_id: str
    device_id: str
    sequence: int
    """The player's count of its reports, from 1: of two, the greater is the later."""
    progress_s: int


class PlaybackProgressed(PlaybackReport, frozen=True):
    """It goes on."""

    tag: ClassVar[str] = "playback.progressed"
    title: ClassVar[str] = "Came to {progress_s} s of {title_id}"


class PlaybackPaused(PlaybackReport, frozen=True):
    """The customer has stopped it for a while."""

    tag: ClassVar[str] = "playback.paused"
    title: ClassVar[str] = "Paused {title_id}"

    length_s: int | None = None
    """Of the title, as it was started with."""


class PlaybackResumed(PlaybackReport, frozen=True):
    """It goes on after a pause or an interruption."""

    tag: ClassVar[str] = "playback.resumed"
    title: ClassVar[str] = "Resumed {title_id}"


class PlaybackBuffered(PlaybackReport, frozen=True):
    """The customer had to wait."""

    tag: ClassVar[str] = "playback.buffered"
    title: ClassVar[str] = "Waited {duration_ms} ms for {title_id}"

    duration_ms: int


class PlaybackInterrupted(PlaybackReport, frozen=True):
    """It broke off, and not because the customer wanted it."""

    tag: ClassVar[str] = "playback.interrupted"
    title: ClassVar[str] = "{title_id} broke off: {reason}"

    reason: str
    """In the player's words, such as ``network``."""


class PlaybackFinished(PlaybackReport, frozen=True):
    """The customer is done with it, at its end or before."""

    tag: ClassVar[str] = "playback.finished"
    title: ClassVar[str] = "Finished {title_id}"


class SubscriptionStarted(Event, frozen=True):
    """A customer subscribed; the first billing period begins."""

    tag: ClassVar[str] = "subscription.started"
    title: ClassVar[str] = "Subscribed to {plan}"

    customer_id: str
    plan: str
    price: int
    """Of a period, in minor units of the currency."""
    currency: str
    months: int
    """Of a period."""
    time_zone: str
    """An IANA name: by whose calendar periods end."""
    began_at: datetime
    ends_at: datetime
    """When the period ends."""


class SubscriptionRenewed(Event, frozen=True):
    """A further billing period begins."""

    tag: ClassVar[str] = "subscription.renewed"
    title: ClassVar[str] = "Renewed {plan}"

    plan: str
    period: int
    """From 1, which is the first."""
    price: int
    currency: str
    began_at: datetime
    ends_at: datetime


class SubscriptionCancelled(Event, frozen=True):
    """The customer wants no further period; this one goes on to its end."""

    tag: ClassVar[str] = "subscription.cancelled"
    title: ClassVar[str] = "Cancelled {plan}, from the next period on"

    plan: str
    ends_at: datetime


class SubscriptionLapsed(Event, frozen=True):
    """The subscription is over."""

    tag: ClassVar[str] = "subscription.lapsed"
    title: ClassVar[str] = "{plan} ended ({reason})"

    plan: str
    reason: LapseReason


REGISTERED = (
    PlaybackStarted,
    PlaybackProgressed,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackBuffered,
    PlaybackInterrupted,
    PlaybackFinished,
    SubscriptionStarted,
    SubscriptionRenewed,
    SubscriptionCancelled,
    SubscriptionLapsed,
)
"""The event types of this module, for the catalogue."""
