"""Dune on Anna's television, and her subscription: the canonical ones of the tests."""

from datetime import UTC, datetime

from app.modules.playback.decider import (
    CancelSubscription,
    EndPeriod,
    Finish,
    Interrupt,
    LapseSubscription,
    Pause,
    ReportBuffering,
    ReportProgress,
    Resume,
    StartPlayback,
    StartSubscription,
)
from app.modules.playback.events import (
    PlaybackBuffered,
    PlaybackFinished,
    PlaybackInterrupted,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
    PlaybackStarted,
    SubscriptionCancelled,
    SubscriptionLapsed,
    SubscriptionRenewed,
    SubscriptionStarted,
)

ANNA = "anna"
TITLE = "dune-2"
DEVICE = "tv-livingroom"
ZONE = "Europe/Berlin"

start = StartPlayback(ANNA, TITLE, DEVICE)
started = PlaybackStarted(ANNA, TITLE, DEVICE, 0)

reports = (
    (ReportProgress(1, 60), PlaybackProgressed(TITLE, DEVICE, 1, 60)),
    (Pause(2, 90), PlaybackPaused(TITLE, DEVICE, 2, 90)),
    (Resume(3, 90), PlaybackResumed(TITLE, DEVICE, 3, 90)),
    (ReportBuffering(4, 120, 2300), PlaybackBuffered(TITLE, DEVICE, 4, 120, 2300)),
    (Interrupt(5, 121, "network"), PlaybackInterrupted(TITLE, DEVICE, 5, 121, "network")),
    (Finish(6, 9600), PlaybackFinished(TITLE, DEVICE, 6, 9600)),
)
"""Each kind of report, and its event, in the player's order."""

# In Berlin, noon of January 31, of February 29 and of March 31, when it is summer time.
BEGAN_AT = datetime(2028, 1, 31, 11, 0, tzinfo=UTC)
FIRST_END = datetime(2028, 2, 29, 11, 0, tzinfo=UTC)
SECOND_END = datetime(2028, 3, 31, 10, 0, tzinfo=UTC)

subscribe = StartSubscription(ANNA, "family", 1299, "EUR", 1, ZONE, BEGAN_AT)
cancel = CancelSubscription()
lapse = LapseSubscription()
end_first = EndPeriod(1)
end_second = EndPeriod(2)

subscribed = SubscriptionStarted(ANNA, "family", 1299, "EUR", 1, ZONE, BEGAN_AT, FIRST_END)
renewed = SubscriptionRenewed("family", 2, 1299, "EUR", FIRST_END, SECOND_END)
cancelled = SubscriptionCancelled("family", FIRST_END)
ended = SubscriptionLapsed("family", "cancelled")
lapsed = SubscriptionLapsed("family", "unpaid")
