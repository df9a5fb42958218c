"""A title played on a device, as its player reports it; and a subscription, period by period.

Reports come late, twice and in any order. The latest, by the player's own count, is how things are;
an earlier one that comes behind it is nothing. So a report is recorded even where it says what is
so already, for it makes the earlier ones that are still on their way old.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.time_zones import zone_named
from app.modules.playback.events import (
    PlaybackBuffered,
    PlaybackFinished,
    PlaybackInterrupted,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackReport,
    PlaybackResumed,
    PlaybackStarted,
    SubscriptionCancelled,
    SubscriptionLapsed,
    SubscriptionRenewed,
    SubscriptionStarted,
)
from app.modules.playback.periods import period_end


class NoSuchPlayback(NotFound, Refused):
    """There is no such playback."""


class PlaybackTaken(Refused):
    """There is a playback of this id, of something else or somebody else."""


class PlaybackOver(Refused):
    """The playback is finished."""


class NoSuchSubscription(NotFound, Refused):
    """There is no such subscription."""


class SubscriptionTaken(Refused):
    """There is a subscription of this id, on other terms or somebody else's."""


class StartPlayback(Struct, frozen=True):
    """Play a title on a device."""

    customer_id: str
    title_id: str
    device_id: str
    progress_s: int = 0
    length_s: int | None = None


class Report(Struct, frozen=True):
    """What a player says, counted from 1; nothing when it said something later before."""

    sequence: int
    progress_s: int


class ReportProgress(Report, frozen=True):
    """It goes on."""


class Pause(Report, frozen=True):
    """It stands still."""


class Resume(Report, frozen=True):
    """It goes on again."""


class ReportBuffering(Report, frozen=True):
    """The customer had to wait for so long."""

    duration_ms: int


class Interrupt(Report, frozen=True):
    """It broke off."""

    reason: str


class Finish(Report, frozen=True):
    """It is done; the last report."""


AnyReport = ReportProgress | Pause | Resume | ReportBuffering | Interrupt | Finish
PlaybackCommand = StartPlayback | AnyReport


class StartSubscription(Struct, frozen=True):
    """Subscribe on these terms; see `SubscriptionStarted`."""

    customer_id: str
    plan: str
    price: int
    currency: str
    months: int
    time_zone: str
    at: datetime


class CancelSubscription(Struct, frozen=True):
    """Have no further period."""


class LapseSubscription(Struct, frozen=True):
    """End it at once, for it is not paid."""


class EndPeriod(Struct, frozen=True, tag="end-period"):
    """The period of this number is at its end: begin the next one, or end a cancelled one."""

    period: int


SubscriptionCommand = StartSubscription | CancelSubscription | LapseSubscription | EndPeriod


class NotStarted(Struct, frozen=True):
    """There is none."""


class Playing(Struct, frozen=True):
    """One that more is to be heard of, whether it stands still or not."""

    started: PlaybackStarted
    sequence: int = 0
    """Of the latest report."""


class Finished(Struct, frozen=True):
    """One that is done."""

    started: PlaybackStarted
    sequence: int


Playback = NotStarted | Playing | Finished


class Active(Struct, frozen=True):
    """One that will be renewed."""

    started: SubscriptionStarted
    period: int
    ends_at: datetime
    """When the period ends."""


class Cancelled(Struct, frozen=True):
    """One that goes on to the period's end."""

    started: SubscriptionStarted
    period: int


class Lapsed(Struct, frozen=True):
    """One that is over."""

    started: SubscriptionStarted


Subscription = NotStarted | Active | Cancelled | Lapsed


def decide_playback(command: PlaybackCommand, playback: Playback) -> Sequence[Event]:
    """What follows from what a player says."""
    match command:
        case StartPlayback():
            return _start_playback(command, playback)
        case _:
            return _report(command, playback)


def _start_playback(command: StartPlayback, playback: Playback) -> Sequence[Event]:
    started = PlaybackStarted(
        command.customer_id,
        command.title_id,
        command.device_id,
        command.progress_s,
        command.length_s,
    )
    if isinstance(playback, NotStarted):
        return (started,)
    if playback.started != started:
        raise PlaybackTaken
    return ()


def _report(report: AnyReport, playback: Playback) -> Sequence[Event]:
    if isinstance(playback, NotStarted):
        raise NoSuchPlayback
    if report.sequence <= playback.sequence:
        return ()
    if isinstance(playback, Finished):
        raise PlaybackOver
    return (_event_of(report, playback.started),)


def _event_of(report: AnyReport, started: PlaybackStarted) -> Event:
    said = (started.title_id, started.device_id, report.sequence, report.progress_s)
    match report:
        case ReportProgress():
            return PlaybackProgressed(*said)
        case Pause():
            return PlaybackPaused(*said, started.length_s)
        case Resume():
            return PlaybackResumed(*said)
        case ReportBuffering(duration_ms=duration_ms):
            return PlaybackBuffered(*said, duration_ms)
        case Interrupt(reason=reason):
            return PlaybackInterrupted(*said, reason)
        case Finish():
            return PlaybackFinished(*said)
        case _:
            assert_never(report)


def evolve_playback(playback: Playback, event: Event) -> Playback:
    """The playback after an event."""
    match event, playback:
        case PlaybackStarted(), _:
            return Playing(event)
        case PlaybackFinished(), Playing():
            return Finished(playback.started, event.sequence)
        case PlaybackReport(), Playing():
            return Playing(playback.started, event.sequence)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of such a playback")


def decide_subscription(
    command: SubscriptionCommand, subscription: Subscription
) -> Sequence[Event]:
    """What follows from a command to a subscription."""
    match command:
        case StartSubscription():
            return _start_subscription(command, subscription)
        case CancelSubscription():
            return _cancel(subscription)
        case LapseSubscription():
            return _lapse(subscription)
        case EndPeriod(period):
            return _end_period(period, subscription)
        case _:
            assert_never(command)


def _start_subscription(command: StartSubscription, subscription: Subscription) -> Sequence[Event]:
    started = SubscriptionStarted(
        command.customer_id,
        command.plan,
        command.price,
        command.currency,
        command.months,
        command.time_zone,
        command.at,
        _period_end(command.at, command.time_zone, command.months, 1),
    )
    if isinstance(subscription, NotStarted):
        return (started,)
    before = subscription.started
    if replace(started, began_at=before.began_at, ends_at=before.ends_at) != before:
        raise SubscriptionTaken
    return ()


def _cancel(subscription: Subscription) -> Sequence[Event]:
    match subscription:
        case NotStarted():
            raise NoSuchSubscription
        case Active(started, _, ends_at):
            return (SubscriptionCancelled(started.plan, ends_at),)
        case Cancelled() | Lapsed():
            return ()
        case _:
            assert_never(subscription)


def _lapse(subscription: Subscription) -> Sequence[Event]:
    match subscription:
        case NotStarted():
            raise NoSuchSubscription
        case Active(started) | Cancelled(started):
            return (SubscriptionLapsed(started.plan, "unpaid"),)
        case Lapsed():
            return ()
        case _:
            assert_never(subscription)


def _end_period(period: int, subscription: Subscription) -> Sequence[Event]:
    match subscription:
        case Active() if subscription.period == period:
            return (_renewal(subscription),)
        case Cancelled(started) if subscription.period == period:
            return (SubscriptionLapsed(started.plan, "cancelled"),)
        case _:  # what the timer was set for is no longer so
            return ()


def _renewal(ended: Active) -> SubscriptionRenewed:
    started, period = ended.started, ended.period + 1
    ends_at = _period_end(started.began_at, started.time_zone, started.months, period)
    return SubscriptionRenewed(
        started.plan, period, started.price, started.currency, ended.ends_at, ends_at
    )


def _period_end(began_at: datetime, time_zone: str, months: int, period: int) -> datetime:
    zone = zone_named(time_zone, field="time_zone")
    return period_end(began_at, zone, months=months, period=period)


def evolve_subscription(subscription: Subscription, event: Event) -> Subscription:
    """The subscription after an event."""
    match event, subscription:
        case SubscriptionStarted(), _:
            return Active(event, 1, event.ends_at)
        case SubscriptionRenewed(), Active(started):
            return Active(started, event.period, event.ends_at)
        case SubscriptionCancelled(), Active(started, period):
            return Cancelled(started, period)
        case SubscriptionLapsed(), Active(started) | Cancelled(started):
            return Lapsed(started)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of such a subscription")


def _customer_of(of: Playback | Subscription) -> str | None:
    return None if isinstance(of, NotStarted) else of.started.customer_id


PLAYBACK: Decider[PlaybackCommand, Playback] = Decider(
    category="playback",
    initial=NotStarted(),
    decide=decide_playback,
    evolve=evolve_playback,
    events=(
        PlaybackStarted,
        PlaybackProgressed,
        PlaybackPaused,
        PlaybackResumed,
        PlaybackBuffered,
        PlaybackInterrupted,
        PlaybackFinished,
    ),
    customer_of=_customer_of,
)

SUBSCRIPTION: Decider[SubscriptionCommand, Subscription] = Decider(
    category="subscription",
    initial=NotStarted(),
    decide=decide_subscription,
    evolve=evolve_subscription,
    events=(SubscriptionStarted, SubscriptionRenewed, SubscriptionCancelled, SubscriptionLapsed),
    commands=(EndPeriod,),
    customer_of=_customer_of,
)
