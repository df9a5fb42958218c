"""A visitor's carts become a customer's: the visitor, the policy, and both at play with carts."""

from datetime import timedelta

import pytest

from app.kernel.errors import UnknownEvent
from app.kernel.policy import Send
from app.modules.carts.decider import (
    CART,
    MAX_CARTS_OF_A_VISITOR,
    VISITOR,
    AssignCart,
    ForgetVisitor,
    NoteCart,
    RecogniseVisitor,
)
from app.modules.carts.events import (
    CartAssigned,
    CartNoted,
    CartOpened,
    VisitorForgotten,
    VisitorRecognised,
)
from app.modules.customers.decider import CUSTOMER, LinkIdentity, UnlinkIdentity
from app.modules.customers.events import IdentityLinked, IdentityUnlinked
from app.reactions.visitors_carts import VISITORS_CARTS
from app.testing.specs import given, when
from app.testing.world import World
from tests.controls import carts as c
from tests.controls import customers as anna

NOTED = CartNoted("1")
RECOGNISED = VisitorRecognised(c.ANNA, ("1",))
WHO = str(c.VISITOR_ID)


def test_a_strangers_cart_is_noted_once() -> None:
    given(VISITOR).when(NoteCart("1")).then(NOTED)
    given(VISITOR, NOTED).when(NoteCart("1")).then_nothing()
    given(VISITOR, NOTED).when(NoteCart("2")).then(CartNoted("2"))


def test_a_visitor_is_recognised_once_with_all_carts_that_wait() -> None:
    given(VISITOR).when(RecogniseVisitor(c.ANNA)).then(VisitorRecognised(c.ANNA, ()))
    given(VISITOR, NOTED, CartNoted("2")).when(RecogniseVisitor(c.ANNA)).then(
        VisitorRecognised(c.ANNA, ("1", "2"))
    )
    given(VISITOR, NOTED, RECOGNISED).when(RecogniseVisitor(c.ANNA)).then_nothing()


def test_a_cart_of_somebody_known_is_noted_with_whose_it_is_to_be_once() -> None:
    of_anna = CartNoted("2", c.ANNA)
    given(VISITOR, NOTED, RECOGNISED).when(NoteCart("2")).then(of_anna)
    given(VISITOR, NOTED, RECOGNISED, of_anna).when(NoteCart("2")).then_nothing()
    given(VISITOR, NOTED, RECOGNISED).when(NoteCart("1")).then_nothing()


def test_a_visitor_recognised_as_another_gives_away_nothing_twice() -> None:
    given(VISITOR, NOTED, RECOGNISED).when(RecogniseVisitor(c.BORIS)).then(
        VisitorRecognised(c.BORIS, ())
    )


def test_a_visitor_is_forgotten_by_the_customer_it_was_taken_for_alone() -> None:
    given(VISITOR, NOTED, RECOGNISED).when(ForgetVisitor(c.ANNA)).then(VisitorForgotten(c.ANNA))
    given(VISITOR, NOTED, RECOGNISED).when(ForgetVisitor(c.BORIS)).then_nothing()
    given(VISITOR, NOTED).when(ForgetVisitor(c.ANNA)).then_nothing()


def test_a_visitor_who_was_forgotten_is_a_stranger_without_the_carts_given_away() -> None:
    history = (NOTED, RECOGNISED, VisitorForgotten(c.ANNA), CartNoted("2"))
    given(VISITOR, *history).when(RecogniseVisitor(c.BORIS)).then(
        VisitorRecognised(c.BORIS, ("2",))
    )


def test_of_more_carts_than_are_remembered_the_newest_are() -> None:
    noted = [CartNoted(str(number)) for number in range(MAX_CARTS_OF_A_VISITOR + 1)]
    state = VISITOR.fold(noted)
    assert len(state.cart_ids) == MAX_CARTS_OF_A_VISITOR
    assert state.cart_ids[-1] == str(MAX_CARTS_OF_A_VISITOR)


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        VISITOR.evolve(VISITOR.initial, anna.email_linked)


def test_a_visitors_cart_is_noted_by_the_policy_and_a_customers_is_not() -> None:
    when(VISITORS_CARTS, c.opened_by_visitor, thing_id="1", customer_id=c.VISITOR).then(
        Send(VISITOR, WHO, NoteCart("1"))
    )
    when(VISITORS_CARTS, c.opened_by_anna, thing_id="1", customer_id=c.ANNA).then_nothing()


def test_an_anonymous_identity_tells_who_a_visitor_is_and_no_other_does() -> None:
    linked, unlinked = (
        IdentityLinked(c.VISITOR_ID, "anonymous"),
        IdentityUnlinked(c.VISITOR_ID, "anonymous"),
    )
    when(VISITORS_CARTS, linked, thing_id=c.ANNA).then(Send(VISITOR, WHO, RecogniseVisitor(c.ANNA)))
    when(VISITORS_CARTS, unlinked, thing_id=c.ANNA).then(Send(VISITOR, WHO, ForgetVisitor(c.ANNA)))
    when(VISITORS_CARTS, anna.email_linked, thing_id=c.ANNA).then_nothing()
    when(VISITORS_CARTS, anna.email_unlinked, thing_id=c.ANNA).then_nothing()


def test_carts_are_assigned_on_the_customers_timeline() -> None:
    when(VISITORS_CARTS, VisitorRecognised(c.ANNA, ("1", "2")), thing_id=WHO).then(
        Send(CART, "1", AssignCart(c.ANNA), c.ANNA), Send(CART, "2", AssignCart(c.ANNA), c.ANNA)
    )
    when(VISITORS_CARTS, CartNoted("3", c.ANNA), thing_id=WHO).then(
        Send(CART, "3", AssignCart(c.ANNA), c.ANNA)
    )
    when(VISITORS_CARTS, NOTED, thing_id=WHO).then_nothing()


def visit() -> World:
    """A visitor with two carts, one of which has something in it."""
    world = World([VISITORS_CARTS])
    world.send(CART, "1", c.open_for_visitor, c.VISITOR)
    world.send(CART, "2", c.open_for_visitor, c.VISITOR)
    world.send(CART, "1", c.add_shoes)
    return world


def link(world: World, customer_id: str) -> None:
    world.send(CUSTOMER, customer_id, LinkIdentity(c.VISITOR_ID, "anonymous"), customer_id)


def test_both_carts_of_a_visitor_become_the_customers_that_it_turns_out_to_be() -> None:
    world = visit()
    link(world, c.ANNA)
    world.react()
    assert world.all(CartAssigned) == [CartAssigned(c.ANNA)] * 2
    world.send(CART, "1", c.add_socks)
    world.send(CART, "1", c.check_out)
    assert world.happened("cart-1")[-1] == c.checked_out
    assert world.log[-1].happened.customer_id == c.ANNA
    assert world.refusals == []


def test_a_cart_that_is_opened_after_the_link_becomes_the_customers_too() -> None:
    world = World([VISITORS_CARTS])
    link(world, c.ANNA)
    world.react()
    world.send(CART, "1", c.open_for_visitor, c.VISITOR)
    world.react()
    assert world.happened("cart-1") == [CartOpened(c.VISITOR, c.VISITOR_ID), CartAssigned(c.ANNA)]


def test_unlinking_takes_no_cart_back_and_later_ones_go_to_whom_is_linked_next() -> None:
    world = visit()
    link(world, c.ANNA)
    world.react()
    world.send(CUSTOMER, c.ANNA, UnlinkIdentity(c.VISITOR_ID), c.ANNA)
    world.send(CART, "3", c.open_for_visitor, c.VISITOR)
    world.pass_time(timedelta(days=1))
    assert world.happened("cart-3") == [CartOpened(c.VISITOR, c.VISITOR_ID)]
    link(world, c.BORIS)
    world.react()
    owners = [CART.customer_of(world.state(CART, cart_id)) for cart_id in "123"]
    assert owners == [c.ANNA, c.ANNA, c.BORIS]


def test_a_cart_that_was_checked_out_before_stays_the_visitors() -> None:
    world = visit()
    world.send(CART, "1", c.check_out)
    link(world, c.ANNA)
    world.react()
    owners = [CART.customer_of(world.state(CART, cart_id)) for cart_id in "12"]
    assert owners == [c.VISITOR, c.ANNA]
    assert world.refusals == []
