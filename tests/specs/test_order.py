"""What may happen to an order: nothing is promised before it is confirmed, nor undone once sent."""

import pytest

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.orders.decider import (
    ORDER,
    ConfirmOrder,
    NoSuchOrder,
    NothingToPay,
    OrderAlreadyShipped,
    OrderDiffers,
    OrderIsCancelled,
    OrderNotConfirmed,
    OrderNotShipped,
    PlaceOrder,
    SkuRepeated,
)
from app.modules.orders.events import Line, OrderConfirmed
from app.testing.specs import given
from tests.controls import shop

PLACED = (shop.placed,)
CONFIRMED = (*PLACED, shop.confirmed)
SHIPPED = (*CONFIRMED, shop.shipped)
DELIVERED = (*SHIPPED, shop.delivered)
CANCELLED = (*PLACED, shop.cancelled)


def test_an_order_is_placed_with_its_total() -> None:
    given(ORDER).when(shop.place).then(shop.placed)


@pytest.mark.parametrize("history", [PLACED, CONFIRMED, SHIPPED, DELIVERED, CANCELLED])
def test_the_same_order_again_is_nothing_whatever_became_of_it(history: tuple[Event, ...]) -> None:
    given(ORDER, *history).when(shop.place).then_nothing()


def test_another_order_under_the_same_id_is_refused() -> None:
    for other in (shop.place_for_boris, shop.place_allowing_partial):
        given(ORDER, *PLACED).when(other).then_refused(OrderDiffers)


def test_two_lines_for_one_thing_are_refused() -> None:
    twice = PlaceOrder("anna", (shop.CUPS, shop.CUPS), "EUR")
    given(ORDER).when(twice).then_refused(SkuRepeated)


def test_an_order_that_costs_nothing_is_refused() -> None:
    for lines in ((), (Line("gift", 1, 0),)):
        given(ORDER).when(PlaceOrder("anna", lines, "EUR")).then_refused(NothingToPay)


def test_a_placed_order_is_confirmed() -> None:
    given(ORDER, *PLACED).when(shop.confirm).then(shop.confirmed)


def test_an_order_is_confirmed_for_what_there_is() -> None:
    given(ORDER, *PLACED).when(ConfirmOrder({shop.CUP: 1})).then(
        OrderConfirmed((Line(shop.CUP, 1, 1250),), 1250)
    )


@pytest.mark.parametrize("history", [CONFIRMED, SHIPPED, DELIVERED, CANCELLED])
def test_confirming_what_is_not_waiting_for_it_is_nothing(history: tuple[Event, ...]) -> None:
    given(ORDER, *history).when(shop.confirm).then_nothing()


@pytest.mark.parametrize("history", [PLACED, CONFIRMED])
def test_an_order_is_cancelled_until_it_is_shipped(history: tuple[Event, ...]) -> None:
    given(ORDER, *history).when(shop.cancel).then(shop.cancelled)


def test_cancelling_a_cancelled_order_is_nothing() -> None:
    given(ORDER, *CANCELLED).when(shop.cancel).then_nothing()


@pytest.mark.parametrize("history", [SHIPPED, DELIVERED])
def test_a_shipped_order_is_not_cancelled(history: tuple[Event, ...]) -> None:
    given(ORDER, *history).when(shop.cancel).then_refused(OrderAlreadyShipped)


def test_a_confirmed_order_is_shipped_and_delivered() -> None:
    given(ORDER, *CONFIRMED).when(shop.ship).then(shop.shipped)
    given(ORDER, *SHIPPED).when(shop.deliver).then(shop.delivered)


def test_shipping_and_delivering_again_is_nothing() -> None:
    given(ORDER, *SHIPPED).when(shop.ship).then_nothing()
    given(ORDER, *DELIVERED).when(shop.ship).then_nothing()
    given(ORDER, *DELIVERED).when(shop.deliver).then_nothing()


def test_what_is_not_confirmed_is_not_shipped() -> None:
    given(ORDER, *PLACED).when(shop.ship).then_refused(OrderNotConfirmed)


def test_what_is_not_shipped_is_not_delivered() -> None:
    given(ORDER, *PLACED).when(shop.deliver).then_refused(OrderNotShipped)
    given(ORDER, *CONFIRMED).when(shop.deliver).then_refused(OrderNotShipped)


def test_a_cancelled_order_is_neither_shipped_nor_delivered() -> None:
    given(ORDER, *CANCELLED).when(shop.ship).then_refused(OrderIsCancelled)
    given(ORDER, *CANCELLED).when(shop.deliver).then_refused(OrderIsCancelled)


def test_an_order_that_was_never_placed_is_not_there() -> None:
    for command in (shop.confirm, shop.cancel, shop.ship, shop.deliver):
        given(ORDER).when(command).then_refused(NoSuchOrder)


def test_an_order_knows_whose_it_is() -> None:
    assert ORDER.customer_of(ORDER.initial) is None
    for history in (PLACED, CONFIRMED, SHIPPED, DELIVERED, CANCELLED):
        assert ORDER.customer_of(ORDER.fold(history)) == "anna"


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        ORDER.evolve(ORDER.initial, shop.received)
