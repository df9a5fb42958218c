"""A cursor says where a page ended, and nothing else passes for one."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.cursors import SIGNATURE_BYTES, Cursors
from app.kernel.errors import InvalidInput

CURSORS = Cursors(b"the store's secret")


class Place(NamedTuple):
    occurred_at: datetime
    position: int


PLACE = Place(datetime(2026, 11, 22, tzinfo=UTC), 7)


def refused(cursor: str, *query: str, cursors: Cursors = CURSORS) -> None:
    with pytest.raises(InvalidInput) as error:
        cursors.decode(cursor, Place, *query)
    assert error.value.field == "cursor"


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 2**63 - 1),
)
def test_a_place_comes_back_from_its_cursor(moment: datetime, position: int) -> None:
    place = Place(moment, position)
    cursor = CURSORS.encode(place, "timeline", "ann")
    assert CURSORS.decode(cursor, Place, "timeline", "ann") == place
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&?#%")


@given(st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    refused(text, "timeline")


def test_a_cursor_is_good_for_its_own_query_and_store_alone() -> None:
    cursor = CURSORS.encode(PLACE, "timeline", "ann")
    refused(cursor, "visits", "ann")
    refused(cursor, "timeline", "bob")
    refused(cursor, "timelineann")
    refused(cursor, "timeline", "ann", cursors=Cursors(b"another store's secret"))


def test_a_place_that_was_changed_is_refused() -> None:
    signed = urlsafe_b64decode(CURSORS.encode(PLACE, "timeline") + "==")
    other = msgspec.json.encode(PLACE._replace(position=8))
    for forged in (signed[:SIGNATURE_BYTES] + other, other, bytes(SIGNATURE_BYTES) + other):
        refused(urlsafe_b64encode(forged).rstrip(b"=").decode(), "timeline")


@given(st.integers(0))
def test_a_cursor_of_which_any_bit_is_changed_is_refused(number: int) -> None:
    signed = bytearray(urlsafe_b64decode(CURSORS.encode(PLACE, "timeline") + "=="))
    signed[number // 8 % len(signed)] ^= 1 << number % 8
    refused(urlsafe_b64encode(bytes(signed)).rstrip(b"=").decode(), "timeline")
