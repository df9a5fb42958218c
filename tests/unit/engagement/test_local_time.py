"""Local times and quiet hours, where clocks are put forward and back."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engagement.local_time import next_local, quiet_until, zone_of
from app.engagement.rule import QuietHours

MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")

zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "America/Havana",
        "Asia/Kathmandu",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ]
).map(ZoneInfo)
clocks = st.times().map(lambda clock: clock.strftime("%H:%M"))


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Some minute, often near a change of clocks, a leap day, or the day that Samoa skipped."""
    near = draw(
        st.sampled_from(
            [
                datetime(2026, 3, 29, 1, tzinfo=UTC),
                datetime(2026, 10, 25, 1, tzinfo=UTC),
                datetime(2026, 3, 8, 6, tzinfo=UTC),
                datetime(2026, 11, 1, 6, tzinfo=UTC),
                datetime(2026, 4, 4, 15, tzinfo=UTC),
                datetime(2011, 12, 30, 10, tzinfo=UTC),
                datetime(2028, 2, 29, 0, tzinfo=UTC),
            ]
        )
    )
    return near + MINUTE * draw(st.integers(-1_500, 1_500))


def shown(at: datetime, zone: ZoneInfo) -> time:
    return at.astimezone(zone).time()


@settings(max_examples=60, deadline=None)
@given(moments(), zones, clocks)
def test_a_local_time_is_the_next_that_is_shown_first_or_skipped(
    after: datetime, zone: ZoneInfo, clock: str
) -> None:
    wanted = time.fromisoformat(clock)
    found = next_local(after, clock, zone)

    assert found > after
    assert shown(found, zone) == wanted or _skips(found, zone, wanted)
    between = (after + MINUTE * n for n in range(1, int((found - after) / MINUTE)))
    for at in between:
        assert shown(at, zone) != wanted or _was_shown_before(at, zone)


def _skips(at: datetime, zone: ZoneInfo, wanted: time) -> bool:
    """Whether the clocks skip the time at this very moment."""
    before = (at - timedelta.resolution).astimezone(zone).replace(tzinfo=None)
    after = at.astimezone(zone).replace(tzinfo=None)
    days = (before + timedelta(days=n) for n in range(2))
    return any(before < datetime.combine(day, wanted) < after for day in days)


def _was_shown_before(at: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks show this for the second time."""
    return at.astimezone(zone).fold == 1


@settings(max_examples=60, deadline=None)
@given(moments(), zones, clocks, clocks)
def test_quiet_hours_end_at_the_first_minute_that_is_not_quiet(
    at: datetime, zone: ZoneInfo, begin: str, end: str
) -> None:
    def is_quiet(moment: datetime) -> bool:
        now = shown(moment, zone).strftime("%H:%M")
        return begin <= now < end if begin <= end else now >= begin or now < end

    found = quiet_until(at, QuietHours(begin, end), zone)

    expected = at
    while begin != end and is_quiet(expected):
        expected += MINUTE
    assert found == (None if expected == at else expected)


@pytest.mark.parametrize(
    ("after", "clock", "expected"),
    [
        ("2026-03-28T12:00:00+00:00", "02:30", "2026-03-29T01:00:00+00:00"),  # skipped
        ("2026-10-24T12:00:00+00:00", "02:30", "2026-10-25T00:30:00+00:00"),  # shown twice
        ("2026-10-25T00:30:00+00:00", "02:30", "2026-10-26T01:30:00+00:00"),
        ("2028-02-28T17:00:00+00:00", "18:00", "2028-02-29T17:00:00+00:00"),  # a leap day
    ],
)
def test_a_local_time_where_clocks_change(after: str, clock: str, expected: str) -> None:
    found = next_local(datetime.fromisoformat(after), clock, BERLIN)
    assert found == datetime.fromisoformat(expected)


def test_quiet_hours_are_of_real_time_when_clocks_change_meanwhile() -> None:
    night = QuietHours("22:00", "08:00")
    begin = datetime(2026, 3, 28, 21, tzinfo=UTC)

    assert quiet_until(begin - MINUTE, night, BERLIN) is None
    assert quiet_until(begin, night, BERLIN) == begin + timedelta(hours=9)


def test_clocks_that_are_put_back_may_end_quiet_hours_before_they_begin_again() -> None:
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)

    found = quiet_until(change - 10 * MINUTE, QuietHours("02:10", "06:00"), BERLIN)

    assert found == change
    again = quiet_until(change + 10 * MINUTE, QuietHours("02:10", "06:00"), BERLIN)
    assert again == change + timedelta(hours=4)


@pytest.mark.parametrize(
    ("trait", "expected"),
    [("Asia/Tokyo", "Asia/Tokyo"), ("Nowhere/Land", "Europe/Berlin"), (7, "Europe/Berlin")]
    + [(bad, "Europe/Berlin") for bad in (None, "", "../../etc/passwd", "\0", {"sealed": "x"})],
)
def test_a_zone_that_is_none_is_that_of_the_settings(trait: object, expected: str) -> None:
    assert str(zone_of(trait, "Europe/Berlin")) == expected
    assert str(zone_of(trait, "Nowhere/Else")) in {expected, "UTC"}
