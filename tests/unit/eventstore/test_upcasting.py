"""Chains of upcasters are checked where they are declared."""

import pytest

from app.eventstore.upcasting import Upcaster, upcast_columns


def test_nothing_to_upcast_costs_nothing() -> None:
    assert upcast_columns(()) == ("data", "schema_version")


@pytest.mark.parametrize("versions", [(2,), (1, 3), (1, 1), (0, 1)])
def test_steps_that_do_not_follow_one_another_are_refused(versions: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not follow one another"):
        upcast_columns([Upcaster("order.placed", version, "data") for version in versions])


@pytest.mark.parametrize(
    "upcaster",
    [
        Upcaster("it's", 1, "data"),
        Upcaster("Product Added", 1, "data"),
        Upcaster("a.b", 1, "7 % 2"),
    ],
)
def test_what_cannot_stand_in_sql_is_refused(upcaster: Upcaster) -> None:
    with pytest.raises(ValueError, match="cannot stand in SQL"):
        upcast_columns([upcaster])
