"""What may happen to the stock of one thing: no unit is kept or shipped twice, and none is owed."""

import hypothesis
import pytest
from hypothesis import strategies as st

from app.kernel.errors import UnknownEvent
from app.modules.inventory.decider import (
    INVENTORY,
    InventoryCommand,
    ReceiveStock,
    ReleaseStock,
    Reservation,
    ReservationDiffers,
    ReserveStock,
    ShipStock,
    Stock,
)
from app.modules.inventory.events import ReservationDeclined, StockReserved
from app.testing.specs import given
from tests.controls import shop
from tests.specs.test_laws import check_that_folds_agree, decide, law

KEPT = (shop.received, shop.reserved)


def test_units_that_come_in_are_to_be_had() -> None:
    given(INVENTORY).when(shop.receive).then(shop.received)
    assert INVENTORY.fold([shop.received, shop.received]) == Stock(available=10)


def test_units_are_kept_for_an_order() -> None:
    given(INVENTORY, shop.received).when(shop.reserve).then(shop.reserved)
    assert INVENTORY.fold(KEPT) == Stock(3, 0, {"42": Reservation(2, 2)})


def test_an_order_reserves_once() -> None:
    given(INVENTORY, *KEPT).when(shop.reserve).then_nothing()


def test_an_order_that_reserved_another_quantity_is_refused() -> None:
    given(INVENTORY, *KEPT).when(ReserveStock("42", 3)).then_refused(ReservationDiffers)


def test_of_two_that_want_the_last_one_gets_it() -> None:
    last = ReserveStock("43", 3)
    given(INVENTORY, *KEPT).when(last).then(StockReserved("43", 3, 3))
    taken = (*KEPT, StockReserved("43", 3, 3))
    given(INVENTORY, *taken).when(ReserveStock("44", 1)).then(ReservationDeclined("44", 1, 0))


def test_less_than_all_is_declined_whole() -> None:
    given(INVENTORY, *KEPT).when(ReserveStock("43", 4)).then(ReservationDeclined("43", 4, 3))


def test_a_part_is_kept_where_that_is_welcome() -> None:
    part = ReserveStock("43", 4, allow_partial=True)
    given(INVENTORY, *KEPT).when(part).then(StockReserved("43", 3, wanted=4))
    given(INVENTORY, *KEPT, StockReserved("43", 3, wanted=4)).when(part).then_nothing()


def test_no_part_of_nothing_is_kept() -> None:
    part = ReserveStock("42", 2, allow_partial=True)
    given(INVENTORY).when(part).then(shop.out_of_stock)


def test_what_was_declined_may_be_asked_for_again() -> None:
    given(INVENTORY, shop.out_of_stock, shop.received).when(shop.reserve).then(shop.reserved)


def test_released_units_are_to_be_had_again() -> None:
    given(INVENTORY, *KEPT).when(shop.release).then(shop.released)
    assert INVENTORY.fold([*KEPT, shop.released]) == Stock(available=5)


def test_shipped_units_are_gone() -> None:
    given(INVENTORY, *KEPT).when(shop.ship_stock).then(shop.stock_shipped)
    assert INVENTORY.fold([*KEPT, shop.stock_shipped]) == Stock(available=3, shipped=2)


def test_what_is_not_kept_is_neither_released_nor_shipped() -> None:
    for history in ((), (shop.received,), (*KEPT, shop.released), (*KEPT, shop.stock_shipped)):
        given(INVENTORY, *history).when(shop.release).then_nothing()
        given(INVENTORY, *history).when(shop.ship_stock).then_nothing()


orders = st.sampled_from(["41", "42", "43"])
commands: st.SearchStrategy[list[InventoryCommand]] = st.lists(
    st.builds(ReceiveStock, st.integers(1, 4))
    | st.builds(ReserveStock, orders, st.integers(1, 4), st.booleans())
    | st.builds(ReleaseStock, orders)
    | st.builds(ShipStock, orders),
    max_size=40,
)


@law
@hypothesis.given(commands)
def test_every_unit_is_in_one_place_whatever_is_commanded(sent: list[InventoryCommand]) -> None:
    stock, received = Stock(), 0
    for command in sent:
        events = decide(INVENTORY, command, stock) or ()
        stock = INVENTORY.fold(events, stock)
        received += command.quantity if isinstance(command, ReceiveStock) else 0
        assert stock.available >= 0
        assert stock.available + stock.reserved + stock.shipped == received


@law
@hypothesis.given(commands)
def test_stock_folded_event_by_event_equals_stock_folded_at_once(
    sent: list[InventoryCommand],
) -> None:
    check_that_folds_agree(INVENTORY, sent)


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        INVENTORY.evolve(INVENTORY.initial, shop.placed)
