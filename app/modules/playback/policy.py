"""A subscription is renewed, or ends, when its period does.

The timer is set again by each period, by one key. After a downtime the periods that have passed
follow one another at once.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.playback.decider import SUBSCRIPTION, EndPeriod
from app.modules.playback.events import (
    SubscriptionLapsed,
    SubscriptionRenewed,
    SubscriptionStarted,
)


def period_timer(subscription_id: str) -> str:
    """The key of the timer for the end of a subscription's period."""
    return f"subscription-period:{subscription_id}"


def _await_first(happened: Happened[SubscriptionStarted]) -> Iterable[Effect]:
    yield _await_end(happened, 1, happened.event.ends_at)


def _await_next(happened: Happened[SubscriptionRenewed]) -> Iterable[Effect]:
    yield _await_end(happened, happened.event.period, happened.event.ends_at)


def _await_end(happened: Happened[Any], period: int, ends_at: datetime) -> Effect:
    end = Send(SUBSCRIPTION, happened.thing_id, EndPeriod(period), happened.customer_id)
    return SetTimer(period_timer(happened.thing_id), ends_at, end)


def _await_nothing(happened: Happened[SubscriptionLapsed]) -> Iterable[Effect]:
    yield CancelTimer(period_timer(happened.thing_id))


SUBSCRIPTION_PERIODS = Policy(
    name="subscription-periods",
    reactions={
        SubscriptionStarted: _await_first,
        SubscriptionRenewed: _await_next,
        SubscriptionLapsed: _await_nothing,
    },
)
