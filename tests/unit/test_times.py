"""Times of files: how they may be said, and what they mean where clocks jump."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import InvalidInput
from app.kernel.time_zones import zone_named
from app.modules.interactions.times import instant_of

BERLIN = zone_named("Europe/Berlin", field="--timezone")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-13 10:21:14", "2024-03-13T10:21:14+00:00"),
        ("2024-03-13T10:21:14Z", "2024-03-13T10:21:14+00:00"),
        ("2024-03-13T10:21:14.123456789Z", "2024-03-13T10:21:14.123456+00:00"),
        ("2024-03-13T10:21:14.5+01:00", "2024-03-13T09:21:14.500000+00:00"),
        ("2024-03-13 10:21:14+00", "2024-03-13T10:21:14+00:00"),
        ("2024-03-13 10:21:14 UTC", "2024-03-13T10:21:14+00:00"),
        ("2024-03-13 10:21:14 -0500", "2024-03-13T15:21:14+00:00"),
        ("2024-03-13 10:21", "2024-03-13T10:21:00+00:00"),
        ("20240313T102114Z", "2024-03-13T10:21:14+00:00"),
        (" 2024-03-13 ", "2024-03-13T00:00:00+00:00"),
        ("20240313", "2024-03-13T00:00:00+00:00"),
        ("1710325274", "2024-03-13T10:21:14+00:00"),
        ("1710325274.25", "2024-03-13T10:21:14.250000+00:00"),
        ("1710325274250", "2024-03-13T10:21:14.250000+00:00"),
        ("1710325274250001", "2024-03-13T10:21:14.250001+00:00"),
        ("1710325274250001999", "2024-03-13T10:21:14.250001+00:00"),
        ("123456789", "1973-11-29T21:33:09+00:00"),
        ("1612051210000", "2021-01-31T00:00:10+00:00"),  # not the year 1612 of ISO 8601
    ],
)
def test_a_time_may_be_said_in_many_ways(text: str, expected: str) -> None:
    instant = instant_of(text, UTC)
    assert instant.isoformat() == expected
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "13/03/2024",
        "03-13-2024 10:21",
        "2024-13-01",
        "2024-02-30",
        "2024-03-13 25:00:00",
        "2024-03-13 10:21:14 CET",
        "20240313102114",
        "12345678",
        "-1710325274",
        "1.7e9",
        "17103252741234567890",
        "\u0661\u0667\u0661\u0660\u0663\u0662\u0665\u0662\u0667\u0664",
        "0001-01-01T00:00:00+14:00",
        "2024-03-13\udcff",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        instant_of(text, UTC)
    assert refused.value.field == "occurred_at"


def test_a_time_without_an_offset_is_the_zones_and_one_with_an_offset_is_not() -> None:
    assert instant_of("2024-07-01 12:00", BERLIN) == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert instant_of("2024-07-01 12:00Z", BERLIN) == datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert instant_of("1719828000", BERLIN) == datetime(2024, 7, 1, 10, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert instant_of("2024-10-27 02:30", BERLIN) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_a_time_that_is_skipped_is_moved_on_by_the_skip() -> None:
    assert instant_of("2024-03-31 02:30", BERLIN) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    assert instant_of("2024-03-31 03:30", BERLIN) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


# From 1973 on, as microseconds since 1970.
instants = st.integers(10**14, 7 * 10**15).map(
    lambda microseconds: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
)


@given(instants, st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]))
def test_every_instant_is_read_from_its_own_spellings(instant: datetime, zone: str) -> None:
    local = instant.astimezone(ZoneInfo(zone))
    microseconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    whole, fraction = divmod(microseconds, 1_000_000)
    for text in (local.isoformat(), local.isoformat(" "), f"{whole}.{fraction:06}"):
        assert instant_of(text, BERLIN) == instant
    if len(str(microseconds)) >= 15:
        assert instant_of(str(microseconds), BERLIN) == instant
