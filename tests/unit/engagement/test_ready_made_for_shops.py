"""Ready-made rules about payments, offers, carts and orders: each acts, and its exceptions keep it
quiet, with the reason.
"""

from datetime import timedelta
from typing import Any

import pytest

from app.engagement.effects import Decision
from app.engagement.shares import HOLDOUT, is_in_share
from tests.unit.engagement.ready_made_world import (
    BY_MAIL,
    DAY,
    MINUTE,
    called,
    offered,
    rule_named,
    sent,
    world_with,
)
from tests.unit.engagement.world import ANNA, BEGIN, HOUR, SECOND, World, told

# Suspicious payment


def pay(world: World, number: int, card: str = "card-1", **changes: Any) -> list[Decision]:
    paid = {"kind": "card", "paid_from": card, "amount": 1_000, "currency": "EUR", **changes}
    thing = f"t-{number}"
    return world.see("transaction.recorded", 10 * SECOND, thing_id=thing, **paid)


def test_the_sixth_payment_in_two_minutes_is_held_and_the_customer_warned() -> None:
    world = world_with("suspicious-payment")
    world.settings(quiet_hours={"begin": "00:00", "end": "23:59"}, caps=[])
    assert [pay(world, number) for number in range(5)] == [[]] * 5
    [decision] = pay(world, 5)
    assert told([decision]) == ["acted"]
    assert called(decision) == [("transactions/flag", "t-5")]
    [warning] = sent(decision)
    assert (warning.channels, warning.priority, warning.not_before) == (BY_MAIL, "critical", None)


def test_payments_that_are_slow_by_other_cards_or_transfers_are_not_suspicious() -> None:
    world = world_with("suspicious-payment")
    for number in range(8):
        assert pay(world, number, card=f"card-{number % 2}") == []
        assert pay(world, number, kind="transfer") == []
        world.at += MINUTE / 2


def test_a_warning_is_not_sent_where_the_customer_declined_but_the_payment_is_held() -> None:
    world = world_with("suspicious-payment")
    consents = {(channel, "fraud-warning"): False for channel in BY_MAIL}
    world.profile(consents=consents)
    *_, [decision] = [pay(world, number) for number in range(6)]
    assert told([decision]) == ["acted:consent_withdrawn:consent_withdrawn"]
    assert (called(decision), sent(decision)) == ([("transactions/flag", "t-5")], [])


def test_what_passes_the_limit_of_an_hour_is_held() -> None:
    world = world_with("suspicious-amount")
    assert pay(world, 1, amount=150_000) == []
    assert pay(world, 2, amount=150_000, card="card-2") == []
    assert pay(world, 3, amount=50_000) == []
    [decision] = pay(world, 4, amount=1)
    assert called(decision) == [("transactions/flag", "t-4")]


def test_what_is_spread_over_hours_or_in_other_money_is_not_held() -> None:
    world = world_with("suspicious-amount")
    for number in range(4):
        assert pay(world, number, amount=150_000) == []
        assert pay(world, number, amount=900_000, currency="JPY") == []
        world.at += HOUR


# Clicked offer


def test_an_offer_that_was_clicked_and_not_used_becomes_ten_percent_off() -> None:
    world = world_with("clicked-offer", ("email", "offers"))
    assert world.see("Offer Clicked", offer="boots") == []
    [decision] = world.due(2 * HOUR)
    assert (told([decision]), offered(decision)) == (["acted:no_consent"], ["clicked-ten"])
    [message] = sent(decision)
    assert message.parameters["offer"] == "boots"
    assert message.channels == ("email",)
    assert told(world.see("order.placed")) == ["ended:goal"]


def test_who_orders_in_time_does_not_agree_or_had_one_gets_no_ten_percent() -> None:
    world = world_with("clicked-offer", *((channel, "offers") for channel in BY_MAIL))
    world.see("Offer Clicked", offer="boots")
    world.see("order.placed", HOUR)
    assert world.due(DAY) == []
    world.see("Offer Clicked", offer="boots")
    assert told(world.due(2 * HOUR)) == ["acted"]
    world.see("Offer Clicked", DAY * 7, offer="boots")
    assert told(world.due(2 * HOUR)) == ["held_back:offer_limit"]
    world.profile()
    world.see("Offer Clicked", 60 * DAY, offer="boots")
    [decision] = world.due(2 * HOUR)
    assert told([decision]) == ["held_back:no_consent:no_consent:not_sent"]


# Abandoned cart


def fill(world: World, after: timedelta = SECOND, cart: str = "c-1") -> list[Decision]:
    return world.see("cart.item_added", after, thing_id=cart, sku="A-7")


CART_CONSENTS = tuple((channel, "reminders") for channel in BY_MAIL)


def test_a_cart_that_is_left_for_a_day_is_mentioned() -> None:
    world = world_with("abandoned-cart", *CART_CONSENTS)
    assert (fill(world), fill(world, 23 * HOUR), world.due(23 * HOUR)) == ([], [], [])
    [decision] = world.due(HOUR)
    [message] = sent(decision)
    assert (message.template, dict(message.parameters)) == ("abandoned-cart", {"sku": "A-7"})
    assert told(world.see("cart.checked_out", HOUR, thing_id="c-1")) == ["ended:goal"]


def test_carts_that_are_checked_out_or_visitors_are_not_mentioned_and_none_is_twice() -> None:
    world = world_with("abandoned-cart", *CART_CONSENTS)
    fill(world)
    world.see("cart.checked_out", HOUR, thing_id="c-1")
    assert world.due(2 * DAY) == []
    world.see("cart.item_added", who="~visitor", thing_id="c-4", sku="A-7")
    fill(world, cart="c-2")
    world.see("cart.checked_out", HOUR, thing_id="c-3")
    assert told(world.due(DAY)) == ["acted"]
    fill(world, cart="c-2")
    assert told(world.due(DAY)) == ["held_back:re_entry"]


def test_a_reminder_waits_for_consent_and_for_the_morning() -> None:
    world = world_with("abandoned-cart")
    fill(world)
    assert told(world.due(DAY)) == ["held_back:no_consent:no_consent"]
    world.profile(consents=dict.fromkeys(CART_CONSENTS, True), traits={"time_zone": "Asia/Tokyo"})
    world.settings(quiet_hours={"begin": "20:00", "end": "08:00"})
    fill(world, cart="c-2")
    [decision] = world.due(DAY)
    assert told([decision]) == ["acted:quiet_hours"]
    [message] = sent(decision)
    # Noon of UTC is 21 o'clock in Tokyo.
    assert message.not_before == BEGIN.replace(hour=23) + 2 * DAY


# Order updates


def order(world: World, event: str, after: timedelta = HOUR) -> list[Decision]:
    return world.see(f"order.{event}", after, thing_id="o-1")


def test_an_order_is_told_of_when_it_is_confirmed_shipped_and_delivered() -> None:
    world = world_with("order-updates")
    steps = [order(world, event) for event in ("confirmed", "shipped", "delivered")]
    messages = [message for [decision] in steps for message in sent(decision)]
    assert [message.parameters["status"] for message in messages] == [
        "confirmed", "shipped", "delivered",
    ]  # fmt: skip
    assert {message.channels for message in messages} == {("email",)}


def test_an_order_that_is_never_shipped_or_whose_customer_declined_is_not_told_of() -> None:
    world = world_with("order-updates")
    order(world, "confirmed")
    assert order(world, "cancelled") == []
    assert world.due(60 * DAY) == []
    world = world_with("order-updates")
    world.profile(suppressed=frozenset({"email"}))
    assert told(order(world, "confirmed")) == ["held_back:suppressed"]


# Win-back


def order_once(world: World, who: str = ANNA) -> None:
    assert world.see("order.placed", HOUR, who) == []


BUYER = tuple((channel, "offers") for channel in BY_MAIL)


def test_who_has_been_away_for_a_month_is_offered_something() -> None:
    world = world_with("win-back", *BUYER)
    order_once(world)
    assert world.due(29 * DAY) == []
    [decision] = world.due(DAY)
    assert offered(decision) == ["welcome-back"]
    assert [message.template for message in sent(decision)] == ["win-back"]
    assert told(world.see("order.placed", DAY)) == ["ended:goal"]


@pytest.mark.parametrize("event", ["cart.opened", "playback.started", "ride.requested"])
def test_who_has_been_there_is_not_won_back(event: str) -> None:
    world = world_with("win-back", *BUYER)
    order_once(world)
    world.see(event, DAY)
    assert world.due(60 * DAY) == []


def test_some_are_held_out_and_nobody_is_won_back_twice_in_half_a_year() -> None:
    world = world_with("win-back", *BUYER)
    share = rule_named("win-back").holdout
    someone = next(n for n in map(str, range(100)) if is_in_share(HOLDOUT, "win-back", n, share))
    order_once(world, someone)
    order_once(world)
    assert sorted(told(world.due(31 * DAY))) == ["acted", "held_out"]
    world.see("order.placed", 20 * DAY)
    assert told(world.due(31 * DAY)) == ["held_back:offer_limit"]
