"""A title is always something to show, whatever the data holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from projections.timeline.titles import MAX_VALUE_CHARACTERS, render_title


def title(template: str, **data: object) -> str:
    return render_title(template, Raw(msgspec.json.encode(data)))


def test_fields_are_filled_from_the_data() -> None:
    assert title("Placed order {order_id}", order_id=42) == "Placed order 42"
    assert title("{a} and {a} by {b}", a="x", b=1.5) == "x and x by 1.5"
    assert title("Registered") == "Registered"


@pytest.mark.parametrize("value", [None, [], {}, [1], {"a": 1}, "", " \n "])
def test_what_cannot_be_shown_is_left_out(value: object) -> None:
    assert title("Paid {amount} now", amount=value) == "Paid … now"
    assert title("Paid {amount} now") == "Paid … now"


def test_values_are_shown_on_one_line_and_cut() -> None:
    assert title("{a}", a="two\n lines") == "two lines"
    assert title("{a}", a=True) == "yes"
    assert title("{a}", a="x" * MAX_VALUE_CHARACTERS) == "x" * MAX_VALUE_CHARACTERS
    assert title("{a}", a="x" * 1000) == "x" * (MAX_VALUE_CHARACTERS - 1) + "…"


def test_values_are_no_templates() -> None:
    assert title("{a}", a="{b}", b="secret") == "{b}"


def test_data_that_is_no_object_shows_nothing() -> None:
    assert render_title("{a}", Raw(b"[1]")) == "…"
    assert render_title("{a}", Raw(b'{"a":')) == "…"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(json_values)
def test_any_value_makes_a_bounded_line(value: object) -> None:
    shown = title("{a}", a=value)
    assert 1 <= len(shown) <= MAX_VALUE_CHARACTERS
    assert "\n" not in shown
