"""When billing periods end."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from app.engagement import ready_made
from app.engagement.durations import as_timedelta
from app.engagement.rule import IssueOffer, Rule
from app.modules.playback.periods import period_end

BERLIN = ZoneInfo("Europe/Berlin")

law = hypothesis.settings(deadline=None, max_examples=200)
# An hour's skip, half an hour's, midnight's; a date line crossed; none at all.
ZONES = st.sampled_from(
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Santiago",
        "Pacific/Apia",
        "UTC",
    ]
).map(ZoneInfo)
BEGINNINGS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - the zone stands beside
    datetime(2060, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)
MONTHS = st.sampled_from([1, 2, 3, 6, 12])
PERIODS = st.integers(1, 240)


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("began_at", "months", "period", "ends_at"),
    [
        (local(2026, 1, 31, 12), 1, 1, local(2026, 2, 28, 12)),
        (local(2026, 1, 31, 12), 1, 2, local(2026, 3, 31, 12)),
        (local(2027, 12, 31, 12), 1, 2, local(2028, 2, 29, 12)),
        (local(2028, 2, 29, 12), 12, 1, local(2029, 2, 28, 12)),
        (local(2028, 2, 29, 12), 12, 4, local(2032, 2, 29, 12)),
        (local(2026, 11, 30, 12), 3, 1, local(2027, 2, 28, 12)),
        (local(2026, 12, 15, 12), 1, 1, local(2027, 1, 15, 12)),
    ],
    ids=str,
)
def test_a_period_ends_on_the_same_day_or_the_last_of_a_later_month(
    began_at: datetime, months: int, period: int, ends_at: datetime
) -> None:
    assert period_end(began_at, BERLIN, months=months, period=period) == ends_at.astimezone(UTC)


def test_the_day_is_that_of_the_zone() -> None:
    began_at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)  # February 1 in Berlin
    ends_at = period_end(began_at, BERLIN, months=1, period=1)
    assert ends_at == datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    assert period_end(began_at, ZoneInfo("UTC"), months=1, period=1).day == 28


def test_a_time_that_the_clocks_skip_is_moved_on() -> None:
    began_at = local(2026, 2, 28, 2, 30)
    ends_at = period_end(began_at, BERLIN, months=1, period=1)
    assert ends_at.astimezone(BERLIN) == local(2026, 3, 28, 2, 30)
    ends_at = period_end(local(2026, 1, 29, 2, 30), BERLIN, months=1, period=2)
    assert ends_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert ends_at.astimezone(BERLIN).hour == 3


def test_a_time_that_the_clocks_pass_twice_is_the_first_of_both() -> None:
    ends_at = period_end(local(2026, 9, 25, 2, 30), BERLIN, months=1, period=1)
    assert ends_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second_pass = local(2026, 10, 25, 2, 30).replace(fold=1)
    ends_at = period_end(second_pass, BERLIN, months=12, period=1)
    assert ends_at == datetime(2027, 10, 25, 0, 30, tzinfo=UTC)


@law
@hypothesis.given(BEGINNINGS, ZONES, MONTHS, PERIODS)
def test_periods_follow_one_another_without_end(
    began_at: datetime, zone: ZoneInfo, months: int, period: int
) -> None:
    ends = [period_end(began_at, zone, months=months, period=period + n) for n in range(3)]
    assert began_at < ends[0] < ends[1] < ends[2]
    assert all(end.tzinfo is UTC for end in ends)
    longest = timedelta(days=31 * months + 1)
    assert all(later - earlier <= longest for earlier, later in pairwise(ends))


@law
@hypothesis.given(BEGINNINGS, ZONES, MONTHS, PERIODS)
def test_a_period_ends_by_the_local_clock_or_where_it_skips_that_time(
    began_at: datetime, zone: ZoneInfo, months: int, period: int
) -> None:
    began = began_at.astimezone(zone)
    ended = period_end(began_at, zone, months=months, period=period).astimezone(zone)
    months_since_0 = began.year * 12 + began.month - 1 + months * period
    year, month = divmod(months_since_0, 12)
    day = min(began.day, monthrange(year, month + 1)[1])
    wanted = began.replace(year=year, month=month + 1, day=day, fold=0)
    is_skipped = wanted.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wanted.replace(
        tzinfo=None
    )
    assert is_skipped or ended.replace(tzinfo=None) == wanted.replace(tzinfo=None)


@law
@hypothesis.given(BEGINNINGS, ZONES, PERIODS)
def test_a_year_is_twelve_months(began_at: datetime, zone: ZoneInfo, years: int) -> None:
    assert period_end(began_at, zone, months=12, period=years) == period_end(
        began_at, zone, months=1, period=12 * years
    )


@law
@hypothesis.given(BEGINNINGS, ZONES, PERIODS)
def test_no_month_has_two_of_the_ready_made_discounts(
    began_at: datetime, zone: ZoneInfo, period: int
) -> None:
    rule = msgspec.json.decode(ready_made.rule("buffering-apology"), type=Rule)
    [offer] = [step for step in rule.steps if isinstance(step, IssueOffer)]
    assert (offer.per_customer, offer.each is not None) == (1, True)
    begin, end = (
        period_end(began_at, zone, months=1, period=number) for number in (period, period + 1)
    )
    assert end - begin < as_timedelta(offer.each or "")
