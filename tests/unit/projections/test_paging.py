"""A cursor says where a page ended, and nothing else passes for one."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import InvalidInput
from projections.paging import decode_cursor, encode_cursor


class Place(NamedTuple):
    occurred_at: datetime
    position: int


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 2**63 - 1),
)
def test_a_place_comes_back_from_its_cursor(moment: datetime, position: int) -> None:
    place = Place(moment, position)
    cursor = encode_cursor(place)
    assert decode_cursor(cursor, Place) == place
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&?#%")


@given(st.text() | st.tuples(st.binary()).map(encode_cursor))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(text, Place)
    assert refused.value.field == "cursor"
