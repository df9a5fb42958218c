"""Business time: how much lies between two moments, and when so much of it has passed."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from app.kernel.business_calendar import MIDNIGHT, BusinessCalendar, Week

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE: Week = (*(5 * (((time(9), time(17)),),)), (), ())
LUNCH: Week = (
    *(5 * (((time(9), time(12)), (time(13), time(17, 30))),)),
    ((time(10), time(14)),),
    (),
)
ALWAYS: Week = 7 * (((MIDNIGHT, MIDNIGHT),),)
NIGHTS: Week = 7 * (((MIDNIGHT, time(6)), (time(22), MIDNIGHT)),)

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
CHANGES = [
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
]
"""Days on which clocks are changed in some of the zones."""

moments = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.integers(-4 * 1440, 4 * 1440),
)
calendars = st.builds(
    BusinessCalendar,
    st.sampled_from(ZONES).map(ZoneInfo),
    st.sampled_from([OFFICE, LUNCH, ALWAYS, NIGHTS]),
    st.frozensets(st.dates(date(2026, 3, 25), date(2026, 4, 2)), max_size=3),
)

law = hypothesis.settings(
    deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)


def berlin(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=BERLIN)  # type: ignore[arg-type, misc]  # year to minute


def is_open(calendar: BusinessCalendar, moment: datetime) -> bool:
    """What a look at the clock on the wall says."""
    there = moment.astimezone(calendar.zone)
    return there.date() not in calendar.holidays and any(
        opens <= there.time() and (there.time() < closes or closes == MIDNIGHT)
        for opens, closes in calendar.week[there.weekday()]
    )


@law
@hypothesis.given(calendars, moments, st.integers(0, 3 * 1440))
def test_it_is_what_a_look_at_the_clock_each_minute_counts(
    calendar: BusinessCalendar, start: datetime, minutes: int
) -> None:
    counted = sum(is_open(calendar, start + n * MINUTE) for n in range(minutes))
    assert calendar.between(start, start + minutes * MINUTE) == counted * MINUTE


@law
@hypothesis.given(calendars, moments, st.timedeltas(MINUTE / 7, 60 * HOUR))
def test_what_is_added_lies_between_and_not_a_moment_less_would_do(
    calendar: BusinessCalendar, start: datetime, duration: timedelta
) -> None:
    end = calendar.add(start, duration)
    assert calendar.between(start, end) == duration
    assert calendar.between(start, end - timedelta.resolution) < duration


@law
@hypothesis.given(calendars, moments, moments, moments)
def test_stretches_of_time_add_up(
    calendar: BusinessCalendar, one: datetime, two: datetime, three: datetime
) -> None:
    one, two, three = sorted([one, two, three])
    assert calendar.between(one, two) + calendar.between(two, three) == calendar.between(one, three)
    assert calendar.between(three, one) == timedelta(0)


@law
@hypothesis.given(calendars, moments, st.lists(st.timedeltas(timedelta(0), 9 * HOUR), max_size=4))
def test_it_makes_no_difference_in_how_many_parts_time_is_added(
    calendar: BusinessCalendar, start: datetime, parts: list[timedelta]
) -> None:
    end = start
    for part in parts:
        end = calendar.add(end, part)
    assert end == calendar.add(start, sum(parts, timedelta(0)))


def test_nothing_added_is_the_start_itself_open_or_not() -> None:
    saturday = berlin(2026, 3, 7, 12)
    assert BusinessCalendar(BERLIN, OFFICE).add(saturday, timedelta(0)) == saturday


def test_a_day_that_ends_at_closing_time_ends_then_and_not_the_next_morning() -> None:
    calendar = BusinessCalendar(BERLIN, OFFICE)
    assert calendar.add(berlin(2026, 3, 6, 9), 8 * HOUR) == berlin(2026, 3, 6, 17)
    assert calendar.add(berlin(2026, 3, 6, 9), 8 * HOUR + MINUTE) == berlin(2026, 3, 9, 9, 1)


def test_a_holiday_does_not_count() -> None:
    easter = frozenset({date(2026, 4, 3), date(2026, 4, 6)})
    calendar = BusinessCalendar(BERLIN, OFFICE, easter)
    assert calendar.add(berlin(2026, 4, 2, 16), 2 * HOUR) == berlin(2026, 4, 7, 10)


def test_the_days_on_which_clocks_change_have_23_and_25_hours() -> None:
    calendar = BusinessCalendar(BERLIN, ALWAYS)
    assert calendar.between(berlin(2026, 3, 29), berlin(2026, 3, 30)) == 23 * HOUR
    assert calendar.between(berlin(2026, 10, 25), berlin(2026, 10, 26)) == 25 * HOUR


def test_hours_that_the_clocks_skip_are_none() -> None:
    week: Week = 7 * (((time(2, 15), time(2, 45)), (time(2, 50), time(4))),)
    calendar = BusinessCalendar(BERLIN, week)
    assert calendar.between(berlin(2026, 3, 29), berlin(2026, 3, 30)) == HOUR
    assert calendar.add(berlin(2026, 3, 29), HOUR / 2) == berlin(2026, 3, 29, 3, 30)


def test_of_an_edge_that_the_clocks_show_twice_the_first_counts() -> None:
    week: Week = 7 * (((time(1), time(2, 30)),),)
    calendar = BusinessCalendar(BERLIN, week)
    assert calendar.between(berlin(2026, 10, 25), berlin(2026, 10, 26)) == 1.5 * HOUR
    assert calendar.add(berlin(2026, 10, 25), 1.5 * HOUR) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


def test_a_day_that_a_country_left_out_has_no_hours() -> None:
    """Samoa went from Thursday, the 29th, to Saturday, the 31st of December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    calendar = BusinessCalendar(apia, OFFICE)
    thursday, monday = (datetime(2011, 12, 29, tzinfo=apia), datetime(2012, 1, 2, 9, tzinfo=apia))
    assert calendar.between(thursday, monday) == 8 * HOUR


def test_answers_are_in_utc_and_in_order() -> None:
    calendar = BusinessCalendar(BERLIN, LUNCH)
    ends = [calendar.add(berlin(2026, 10, 23), n * HOUR) for n in range(1, 30)]
    assert all(end.tzinfo is UTC for end in ends)
    assert all(earlier < later for earlier, later in pairwise(ends))


@pytest.mark.parametrize(
    "week",
    [
        7 * ((),),
        OFFICE[:6],
        (((time(9), time(9)),), *OFFICE[1:]),
        (((time(17), time(9)),), *OFFICE[1:]),
        (((time(9), time(13)), (time(12), time(17))), *OFFICE[1:]),
        (((time(9), MIDNIGHT), (time(12), time(17))), *OFFICE[1:]),
    ],
    ids=["never", "six days", "empty", "backwards", "overlapping", "after midnight"],
)
def test_a_week_that_makes_no_sense_is_refused(week: Week) -> None:
    with pytest.raises(ValueError, match=r"week|spans"):
        BusinessCalendar(BERLIN, week)


def test_more_business_time_than_ten_years_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no .* of business time"):
        BusinessCalendar(BERLIN, OFFICE).add(berlin(2026, 1, 1), timedelta(days=5_000))
