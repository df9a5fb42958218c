"""What may happen to a cart."""

import pytest

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.modules.carts.decider import (
    CART,
    MAX_LINES,
    AddItem,
    AlreadyInCart,
    CartClosed,
    CartCommand,
    CartEmpty,
    CartTaken,
    ChangeItem,
    MixedCurrencies,
    NoSuchCart,
    NotInCart,
    OpenCart,
    TooManyLines,
)
from app.modules.carts.events import (
    CartAssigned,
    CartCheckedOut,
    CartOpened,
    ItemAdded,
    ItemChanged,
    Line,
)
from app.testing.specs import given
from tests.controls import carts as c
from tests.controls import customers as anna

OPEN = (c.opened_by_anna, c.shoes_added, c.socks_added)
CLOSED = (*OPEN, c.checked_out)
OF_A_VISITOR = (c.opened_by_visitor, c.shoes_added)


def test_a_cart_is_opened_by_a_customer_or_a_visitor() -> None:
    given(CART).when(c.open_for_anna).then(c.opened_by_anna)
    given(CART).when(c.open_for_visitor).then(c.opened_by_visitor)


@pytest.mark.parametrize("history", [OPEN, CLOSED])
def test_opening_ones_own_cart_again_is_nothing(history: tuple[Event, ...]) -> None:
    given(CART, *history).when(c.open_for_anna).then_nothing()


def test_opening_a_cart_again_that_was_assigned_meanwhile_is_nothing() -> None:
    for command in (c.open_for_visitor, c.open_for_anna):
        given(CART, *OF_A_VISITOR, c.assigned_to_anna).when(command).then_nothing()


def test_a_cart_of_somebody_else_is_refused() -> None:
    given(CART, *OPEN).when(OpenCart(c.BORIS)).then_refused(CartTaken)
    given(CART, *OPEN).when(c.open_for_visitor).then_refused(CartTaken)
    given(CART, *CLOSED).when(OpenCart(c.BORIS)).then_refused(CartTaken)


@pytest.mark.parametrize(
    "command", [c.add_shoes, c.more_shoes, c.remove_shoes, c.assign_to_anna, c.check_out]
)
def test_what_is_for_a_cart_that_was_never_opened_is_refused_as_not_found(
    command: CartCommand,
) -> None:
    given(CART).when(command).then_refused(NoSuchCart)
    assert issubclass(NoSuchCart, NotFound)


def test_items_are_added() -> None:
    given(CART, c.opened_by_anna).when(c.add_shoes).then(c.shoes_added)
    given(CART, c.opened_by_anna, c.shoes_added).when(c.add_socks).then(c.socks_added)


def test_adding_the_same_again_is_nothing() -> None:
    given(CART, *OPEN).when(c.add_shoes).then_nothing()


@pytest.mark.parametrize(
    "command",
    [AddItem("shoes", 2, 8900, "EUR"), AddItem("shoes", 1, 1, "EUR"), AddItem("shoes", 1, 1, "X")],
)
def test_adding_what_is_in_otherwise_is_refused(command: AddItem) -> None:
    given(CART, *OPEN).when(command).then_refused(AlreadyInCart)


def test_a_second_currency_is_refused() -> None:
    given(CART, *OPEN).when(AddItem("hat", 1, 100, "USD")).then_refused(MixedCurrencies)


def test_an_emptied_cart_takes_any_currency() -> None:
    hat = AddItem("hat", 1, 100, "USD")
    history = (c.opened_by_anna, c.shoes_added, c.shoes_removed)
    given(CART, *history).when(hat).then(ItemAdded("hat", 1, 100, "USD"))


def test_a_cart_holds_no_more_lines_than_it_may() -> None:
    full = [ItemAdded(f"item {number}", 1, 100, "EUR") for number in range(MAX_LINES)]
    given(CART, c.opened_by_anna, *full).when(c.add_shoes).then_refused(TooManyLines)
    given(CART, c.opened_by_anna, *full[1:]).when(c.add_shoes).then(c.shoes_added)


def test_an_item_is_changed_in_number_and_in_price() -> None:
    given(CART, *OPEN).when(c.more_shoes).then(c.shoes_changed)
    given(CART, *OPEN).when(ChangeItem("shoes", 1, 7900)).then(ItemChanged("shoes", 1, 7900))


def test_a_change_to_what_is_so_is_nothing() -> None:
    given(CART, *OPEN, c.shoes_changed).when(c.more_shoes).then_nothing()
    given(CART, *OPEN).when(ChangeItem("shoes", 1, 8900)).then_nothing()


def test_changing_what_is_not_in_is_refused() -> None:
    given(CART, c.opened_by_anna).when(c.more_shoes).then_refused(NotInCart)


def test_an_item_is_removed_once() -> None:
    given(CART, *OPEN).when(c.remove_shoes).then(c.shoes_removed)
    given(CART, *OPEN, c.shoes_removed).when(c.remove_shoes).then_nothing()


def test_check_out_tells_the_lines_and_the_total() -> None:
    given(CART, *OPEN).when(c.check_out).then(c.checked_out)


def test_check_out_tells_them_as_they_are_then() -> None:
    given(CART, *OPEN, c.shoes_changed).when(c.check_out).then(
        CartCheckedOut((Line("shoes", 2, 8900, "EUR"), Line("socks", 3, 450, "EUR")), 19150, "EUR")
    )


def test_checking_out_again_is_nothing() -> None:
    given(CART, *CLOSED).when(c.check_out).then_nothing()


def test_an_empty_cart_is_not_checked_out() -> None:
    given(CART, c.opened_by_anna).when(c.check_out).then_refused(CartEmpty)
    history = (c.opened_by_anna, c.shoes_added, c.shoes_removed)
    given(CART, *history).when(c.check_out).then_refused(CartEmpty)


@pytest.mark.parametrize("command", [c.add_shoes, c.more_shoes, c.remove_shoes])
def test_a_cart_that_is_checked_out_changes_no_more(command: CartCommand) -> None:
    given(CART, *CLOSED).when(command).then_refused(CartClosed)


def test_a_visitors_cart_is_given_to_a_customer_once() -> None:
    given(CART, *OF_A_VISITOR).when(c.assign_to_anna).then(c.assigned_to_anna)
    given(CART, *OF_A_VISITOR, c.assigned_to_anna).when(c.assign_to_anna).then_nothing()


def test_a_cart_that_is_a_customers_stays_so() -> None:
    given(CART, *OF_A_VISITOR, CartAssigned(c.BORIS)).when(c.assign_to_anna).then_nothing()
    given(CART, CartOpened(c.BORIS)).when(c.assign_to_anna).then_nothing()


def test_a_visitors_cart_that_is_checked_out_stays_the_visitors() -> None:
    history = (*OF_A_VISITOR, c.socks_added, c.checked_out)
    given(CART, *history).when(c.assign_to_anna).then_nothing()
    assert CART.customer_of(CART.fold(history)) == c.VISITOR


def test_a_cart_is_of_whoever_opened_it_until_it_is_assigned() -> None:
    assert CART.customer_of(CART.initial) is None
    assert CART.customer_of(CART.fold(OF_A_VISITOR)) == c.VISITOR
    assert CART.customer_of(CART.fold([*OF_A_VISITOR, c.assigned_to_anna])) == c.ANNA
    assert CART.customer_of(CART.fold(CLOSED)) == c.ANNA


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        CART.evolve(CART.initial, anna.email_linked)
