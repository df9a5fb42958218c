"""Points in time, as they are said."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.clock import instant
from app.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T10:30:00+01:00", "2026-11-22T10:30:00 01:00", "2026-11-22T09:30:00Z"],
)
def test_a_time_with_its_offset_is_understood(text: str) -> None:
    assert instant(text, field="from") == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00",
        "2026-11-22",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "yesterday",
        "1764000000",
        "",
    ],
)
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        instant(text, field="from")

    assert refused.value.field == "from"


@given(st.text(max_size=40))
def test_whatever_is_said_to_be_a_time_is_one_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert instant(text, field="from").tzinfo is UTC
