"""Subscriptions and their timers against a simple model: late, fired again, with repeated commands.

The model counts months on its fingers; what months are is tested in `tests/unit/test_periods.py`.
"""

from datetime import UTC, datetime, timedelta

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.modules.playback.decider import (
    SUBSCRIPTION,
    Active,
    Cancelled,
    CancelSubscription,
    EndPeriod,
    Lapsed,
    LapseSubscription,
    StartSubscription,
)
from app.modules.playback.events import SubscriptionRenewed
from app.modules.playback.policy import SUBSCRIPTION_PERIODS, period_timer
from app.testing.world import World

BEGAN_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
DAYS = st.integers(0, 70).map(lambda days: timedelta(days=days))
ID = "7"


def end_of(period: int) -> datetime:
    year, month = divmod(period, 12)
    return BEGAN_AT.replace(year=BEGAN_AT.year + year, month=month + 1)


class SubscriptionPeriods(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World([SUBSCRIPTION_PERIODS], now=BEGAN_AT)
        self.period = 1
        self.status: type = Active

    @initialize()
    def begin(self) -> None:
        self.start()

    @rule()
    def start(self) -> None:
        at = self.world.now
        command = StartSubscription("anna", "family", 1299, "EUR", 1, "UTC", at)
        self.world.send(SUBSCRIPTION, ID, command, "anna")

    @rule()
    def cancel(self) -> None:
        self.world.send(SUBSCRIPTION, ID, CancelSubscription())
        if self.status is Active:
            self.status = Cancelled

    @rule()
    def lapse(self) -> None:
        self.world.send(SUBSCRIPTION, ID, LapseSubscription())
        self.status = Lapsed

    @rule(duration=DAYS)
    def time_passes_with_everything_at_work(self, duration: timedelta) -> None:
        self.world.pass_time(duration)
        while self.status is not Lapsed and end_of(self.period) <= self.world.now:
            if self.status is Cancelled:
                self.status = Lapsed
            else:
                self.period += 1

    @rule(duration=DAYS)
    def time_passes_with_nothing_at_work(self, duration: timedelta) -> None:
        self.world.now += duration

    @rule()
    def the_policy_comes_to_the_next_event(self) -> None:
        self.world.step()

    @rule(data=st.data())
    def the_timer_of_an_earlier_period_fires_again(self, data: st.DataObject) -> None:
        earlier = data.draw(st.integers(0, self.period - 1))
        assert self.world.send(SUBSCRIPTION, ID, EndPeriod(earlier)) == []

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        state = self.world.state(SUBSCRIPTION, ID)
        if not self.world.log:  # before the beginning
            return
        assert type(state) is self.status
        if isinstance(state, Active | Cancelled):
            assert state.period == self.period
        ends = [event.ends_at for event in self.renewals()]
        assert ends == [end_of(period) for period in range(2, self.period + 1)]

    def renewals(self) -> list[SubscriptionRenewed]:
        events = self.world.happened(f"subscription-{ID}")
        return [event for event in events if isinstance(event, SubscriptionRenewed)]

    def teardown(self) -> None:
        """Whatever is left to come, one timer brings it, unless it is over."""
        self.world.react()
        assert len(self.world.timers) <= 1
        if self.status is Lapsed:
            assert self.world.timers == {}
        elif self.world.log:
            assert self.world.timers[period_timer(ID)].due_at == end_of(self.period)
        assert self.world.refusals == []


TestSubscriptionPeriods = SubscriptionPeriods.TestCase
TestSubscriptionPeriods.settings = hypothesis.settings(
    deadline=None,
    max_examples=40,
    stateful_step_count=30,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
