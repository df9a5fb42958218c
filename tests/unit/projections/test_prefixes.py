"""A prefix is a range of code points."""

from hypothesis import given
from hypothesis import strategies as st

from projections.prefixes import ascii_lower, first_after

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.text(
    "a\ud7ff\U0010ffff\ue000", max_size=4
)


@given(prefix=texts, other=texts)
def test_the_range_of_a_prefix_holds_what_begins_so_and_nothing_else(
    prefix: str, other: str
) -> None:
    end = first_after(prefix)
    for text in (other, prefix + other):
        in_range = prefix <= text and (end is None or text < end)
        assert in_range == text.startswith(prefix)


@given(texts)
def test_the_end_of_a_range_is_text_that_can_be_sent(prefix: str) -> None:
    (first_after(prefix) or "").encode()


def test_only_a_to_z_are_lowered() -> None:
    assert ascii_lower("ABCÄÖİZ") == "abcÄÖİz"
