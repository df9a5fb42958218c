"""What may happen to a subscription, when its periods end, and both at play with timers."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.playback.decider import (
    SUBSCRIPTION,
    EndPeriod,
    NoSuchSubscription,
    SubscriptionCommand,
    SubscriptionTaken,
)
from app.modules.playback.events import SubscriptionLapsed, SubscriptionRenewed
from app.modules.playback.policy import SUBSCRIPTION_PERIODS, period_timer
from app.testing.specs import given, when
from app.testing.world import World
from tests.controls import customers as anna
from tests.controls import playback as p

DAY = timedelta(days=1)
ACTIVE = (p.subscribed,)
CANCELLED = (p.subscribed, p.cancelled)
OVER = [(*CANCELLED, p.ended), (p.subscribed, p.lapsed)]


def test_a_subscription_starts_with_its_first_period() -> None:
    given(SUBSCRIPTION).when(p.subscribe).then(p.subscribed)


@pytest.mark.parametrize("history", [ACTIVE, CANCELLED, (p.subscribed, p.renewed), *OVER])
def test_starting_it_again_on_the_same_terms_is_nothing_whenever_it_is(
    history: tuple[Event, ...],
) -> None:
    later = msgspec.structs.replace(p.subscribe, at=p.BEGAN_AT + DAY)
    given(SUBSCRIPTION, *history).when(later).then_nothing()


@pytest.mark.parametrize("change", [{"price": 1}, {"customer_id": "boris"}, {"months": 12}])
def test_other_terms_are_refused(change: dict[str, object]) -> None:
    other = msgspec.structs.replace(p.subscribe, **change)
    given(SUBSCRIPTION, *ACTIVE).when(other).then_refused(SubscriptionTaken)
    given(SUBSCRIPTION, *OVER[0]).when(other).then_refused(SubscriptionTaken)


def test_at_the_end_of_a_period_the_next_one_begins() -> None:
    given(SUBSCRIPTION, *ACTIVE).when(p.end_first).then(p.renewed)
    third_end = datetime(2028, 4, 30, 10, 0, tzinfo=UTC)
    given(SUBSCRIPTION, *ACTIVE, p.renewed).when(p.end_second).then(
        SubscriptionRenewed("family", 3, 1299, "EUR", p.SECOND_END, third_end)
    )


@pytest.mark.parametrize("history", [(), *OVER])
def test_the_end_of_a_period_of_what_is_not_or_is_over_is_nothing(
    history: tuple[Event, ...],
) -> None:
    given(SUBSCRIPTION, *history).when(p.end_first).then_nothing()


@pytest.mark.parametrize("history", [(p.subscribed, p.renewed), CANCELLED])
@pytest.mark.parametrize("period", [0, 3])
def test_the_end_of_another_period_is_nothing(history: tuple[Event, ...], period: int) -> None:
    given(SUBSCRIPTION, *history).when(EndPeriod(period)).then_nothing()


def test_a_timer_that_fires_again_is_nothing() -> None:
    given(SUBSCRIPTION, *ACTIVE, p.renewed).when(p.end_first).then_nothing()


def test_it_is_cancelled_to_the_end_of_its_period_once() -> None:
    given(SUBSCRIPTION, *ACTIVE).when(p.cancel).then(p.cancelled)
    given(SUBSCRIPTION, *CANCELLED).when(p.cancel).then_nothing()


def test_cancelled_it_ends_with_its_period() -> None:
    given(SUBSCRIPTION, *CANCELLED).when(p.end_first).then(p.ended)


@pytest.mark.parametrize("history", [ACTIVE, CANCELLED])
def test_not_paid_it_lapses_at_once(history: tuple[Event, ...]) -> None:
    given(SUBSCRIPTION, *history).when(p.lapse).then(p.lapsed)


@pytest.mark.parametrize("history", OVER)
@pytest.mark.parametrize("command", [p.cancel, p.lapse])
def test_of_what_is_over_there_is_nothing_to_end(
    history: tuple[Event, ...], command: SubscriptionCommand
) -> None:
    given(SUBSCRIPTION, *history).when(command).then_nothing()


@pytest.mark.parametrize("command", [p.cancel, p.lapse])
def test_a_subscription_that_was_never_started_is_refused_as_not_found(
    command: SubscriptionCommand,
) -> None:
    given(SUBSCRIPTION).when(command).then_refused(NoSuchSubscription)
    assert issubclass(NoSuchSubscription, NotFound)


@pytest.mark.parametrize("history", [ACTIVE, CANCELLED, *OVER])
def test_a_subscription_is_whose_it_was_started_for(history: tuple[Event, ...]) -> None:
    assert SUBSCRIPTION.customer_of(SUBSCRIPTION.initial) is None
    assert SUBSCRIPTION.customer_of(SUBSCRIPTION.fold(history)) == p.ANNA


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        SUBSCRIPTION.evolve(SUBSCRIPTION.initial, anna.email_linked)


def test_each_period_moves_the_timer_to_its_end() -> None:
    key = "subscription-period:7"
    when(SUBSCRIPTION_PERIODS, p.subscribed, thing_id="7", customer_id=p.ANNA).then(
        SetTimer(key, p.FIRST_END, Send(SUBSCRIPTION, "7", p.end_first, p.ANNA))
    )
    when(SUBSCRIPTION_PERIODS, p.renewed, thing_id="7", customer_id=p.ANNA).then(
        SetTimer(key, p.SECOND_END, Send(SUBSCRIPTION, "7", p.end_second, p.ANNA))
    )


def test_a_cancelled_subscription_keeps_its_timer_and_one_that_is_over_does_not() -> None:
    when(SUBSCRIPTION_PERIODS, p.cancelled, thing_id="7").then_nothing()
    when(SUBSCRIPTION_PERIODS, p.lapsed, thing_id="7").then(CancelTimer(period_timer("7")))


def subscribed() -> World:
    world = World([SUBSCRIPTION_PERIODS], now=p.BEGAN_AT)
    world.send(SUBSCRIPTION, "7", p.subscribe, p.ANNA)
    return world


def test_through_a_year_it_is_renewed_at_the_end_of_each_month_at_noon() -> None:
    world = subscribed()
    world.pass_time(timedelta(days=365))
    ends = [
        event.began_at.astimezone(ZoneInfo(p.ZONE))
        for event in world.all(SubscriptionRenewed)
        if isinstance(event, SubscriptionRenewed)
    ]
    assert [(end.month, end.day, end.hour) for end in ends] == [
        (2, 29, 12),
        (3, 31, 12),
        (4, 30, 12),
        (5, 31, 12),
        (6, 30, 12),
        (7, 31, 12),
        (8, 31, 12),
        (9, 30, 12),
        (10, 31, 12),
        (11, 30, 12),
        (12, 31, 12),
    ]
    assert list(world.timers) == [period_timer("7")]
    assert {entry.happened.customer_id for entry in world.log} == {p.ANNA}


def test_cancelled_it_ends_at_the_end_of_its_period_and_nothing_is_left_to_come() -> None:
    world = subscribed()
    world.pass_time(10 * DAY)
    world.send(SUBSCRIPTION, "7", p.cancel)
    world.pass_time(365 * DAY)
    assert world.happened("subscription-7") == [p.subscribed, p.cancelled, p.ended]
    assert world.log[-1].happened.at == p.FIRST_END
    assert world.timers == {}


def test_not_paid_it_ends_at_once_and_is_not_renewed() -> None:
    world = subscribed()
    world.pass_time(10 * DAY)
    world.send(SUBSCRIPTION, "7", p.lapse)
    world.pass_time(365 * DAY)
    assert world.happened("subscription-7") == [p.subscribed, p.lapsed]


def test_after_a_downtime_the_periods_that_have_passed_follow_at_once() -> None:
    world = subscribed()
    world.react()
    world.now += timedelta(days=95)
    world.pass_time(timedelta())
    assert world.happened("subscription-7")[:2] == [p.subscribed, p.renewed]
    assert len(world.all(SubscriptionRenewed)) == 3
    assert world.timers[period_timer("7")].due_at == datetime(2028, 5, 31, 10, 0, tzinfo=UTC)


def test_a_cancellation_that_comes_before_a_late_timer_ends_the_period_that_was() -> None:
    """What counts is the order of the log, not the times."""
    world = subscribed()
    world.react()
    world.now += timedelta(days=40)
    world.send(SUBSCRIPTION, "7", p.cancel)
    world.pass_time(timedelta())
    assert world.happened("subscription-7") == [p.subscribed, p.cancelled, p.ended]
    assert world.all(SubscriptionLapsed) == [p.ended]
