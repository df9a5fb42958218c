"""The ready-made rules: each acts, and each of its exceptions keeps it quiet, with the reason."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.engagement import ready_made
from app.engagement.commands import CALLABLE
from app.engagement.compiled import check_rule
from app.engagement.effects import (
    CommandEffect,
    Decision,
    MessageEffect,
    OfferEffect,
)
from app.engagement.events import Held, Outcome, RuleSaved, RuleWentLive
from app.engagement.places import steps_in
from app.engagement.rule import Rule, SendMessage
from app.engagement.rulebook import compile_saved
from app.engagement.rules import CHANNELS
from app.engagement.shapes import EventShapes
from app.engagement.shares import HOLDOUT, is_in_share
from app.kernel.sensitive import SensitiveFields
from app.modules.templates.events import TemplateSaved
from app.modules.templates.rendering import render
from tests.unit.engagement.world import ANNA, BEGIN, HOUR, SECOND, World, told

KNOWN = EventShapes(CATALOGUE, SensitiveFields())
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BY_MAIL = ("email", "inbox")


def rule_named(name: str) -> Rule:
    return msgspec.json.decode(ready_made.rule(name), type=Rule)


def world_with(name: str, *agreed: tuple[str, str], **traits: Any) -> World:
    """The rule is live, and Anna has agreed to these channels and topics."""
    world = World(compile_saved)
    rule = rule_named(name)
    shapes = check_rule(rule, KNOWN, CALLABLE, CHANNELS)
    world.happened(name, RuleSaved(1, rule, shapes))
    world.happened(name, RuleWentLive(1))
    world.profile(consents=dict.fromkeys(agreed, True), traits=traits)
    return world


def sent(decision: Decision) -> list[MessageEffect]:
    return [each for each in decision.effects if isinstance(each, MessageEffect)]


def called(decision: Decision) -> list[tuple[str, str]]:
    effects = [each for each in decision.effects if isinstance(each, CommandEffect)]
    return [(each.command, each.thing_id) for each in effects]


def offered(decision: Decision) -> list[str]:
    return [each.offer for each in decision.effects if isinstance(each, OfferEffect)]


@pytest.mark.parametrize("name", ready_made.names())
def test_every_one_is_valid_and_its_templates_say_something(name: str) -> None:
    rule = rule_named(name)
    check_rule(rule, KNOWN, CALLABLE, CHANNELS)
    assert rule.description
    for at in steps_in(rule):
        if isinstance(at.step, SendMessage) and at.step.template is not None:
            written = ready_made.template(at.step.template)
            template = msgspec.json.decode(written, type=TemplateSaved)
            parameters = dict.fromkeys(at.step.parameters, "2026-03-02T12:00:00Z")
            assert render(template, None, parameters, {}).text


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


# Support burst


def ask(world: World, number: int, **changes: Any) -> list[Decision]:
    asked = {"is_automatic": False, "channel": "email", **changes}
    return world.see("support.question_opened", HOUR, thing_id=f"q-{number}", **asked)


def test_the_third_question_of_a_day_opens_one_for_all_of_them() -> None:
    world = world_with("support-burst")
    assert (ask(world, 1), ask(world, 2)) == ([], [])
    [decision] = ask(world, 3)
    assert called(decision) == [("questions/open", "burst-q-3")]
    assert [message.kind for message in sent(decision)] == ["support-care"]


def test_machines_and_our_own_questions_make_no_burst_and_one_a_week_is_enough() -> None:
    world = world_with("support-burst")
    for number in range(4):
        assert ask(world, number, is_automatic=True) == ask(world, number, channel="rule") == []
    decisions = [each for number in range(6) for each in ask(world, number)]
    assert told(decisions) == ["acted", "held_back:re_entry"]


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


# Ride updates


def ride(world: World, event: str, after: timedelta = MINUTE) -> list[Decision]:
    return world.see(f"ride.{event}", after, thing_id="r-1", driver_id="d-1", round=1)


def test_a_rider_who_waits_for_long_is_told_so_and_asked_afterwards() -> None:
    world = world_with("ride-updates")
    world.settings(quiet_hours={"begin": "00:00", "end": "23:59"})
    assert ride(world, "claimed") == []
    [late] = world.due(10 * MINUTE)
    ride(world, "driver_arriving")
    [afterwards] = ride(world, "completed")
    assert [message.kind for each in (late, afterwards) for message in sent(each)] == [
        "ride-updates", "ride-updates",
    ]  # fmt: skip


@pytest.mark.parametrize("event", ["driver_arriving", "driver_withdrew", "started", "cancelled"])
def test_a_rider_whose_driver_comes_or_who_does_not_wait_any_more_is_told_nothing(
    event: str,
) -> None:
    world = world_with("ride-updates")
    ride(world, "claimed")
    ride(world, event)
    assert world.due(DAY) == []


def test_nobody_is_asked_about_a_ride_that_did_not_take_place() -> None:
    world = world_with("ride-updates")
    ride(world, "claimed")
    assert told(world.due(10 * MINUTE)) == ["acted"]
    ride(world, "cancelled")
    assert world.due(DAY) == []


# Unfinished episode


def pause(
    world: World, progress_s: int = 1_000, length_s: int | None = 2_000, title: str = "dune"
) -> list[Decision]:
    data: dict[str, Any] = {"title_id": title, "progress_s": progress_s, "length_s": length_s}
    return world.see("playback.paused", HOUR, **data)


VIEWER = ("inbox", "reminders")


@pytest.mark.parametrize("length_s", [2_000, None])
def test_who_does_not_come_back_to_a_title_for_a_day_is_reminded(length_s: int | None) -> None:
    world = world_with("unfinished-episode", VIEWER)
    assert pause(world, length_s=length_s) == []
    [decision] = world.due(DAY)
    [message] = sent(decision)
    assert dict(message.parameters) == {"title": "dune", "minutes": 16}


def test_who_has_watched_more_than_95_percent_is_not_reminded_and_it_says_why() -> None:
    world = world_with("unfinished-episode", VIEWER)
    pause(world, progress_s=1_901)
    [decision] = world.due(DAY)
    assert decision.made.outcome is Outcome.ENDED
    assert decision.made.held == [Held("end", "over 95 % watched")]
    assert decision.made.inputs["trigger.data.progress_s"] == 1_901
    pause(world, progress_s=1_900, title="alien")
    assert told(world.due(DAY)) == ["acted"]


@pytest.mark.parametrize("event", ["resumed", "progressed", "started", "finished"])
def test_who_comes_back_is_not_reminded(event: str) -> None:
    world = world_with("unfinished-episode", VIEWER)
    pause(world)
    world.see(f"playback.{event}", HOUR, title_id="another")
    world.see(f"playback.{event}", HOUR, title_id="dune")
    assert world.due(2 * DAY) == []


# Buffering apology


def wait_thrice(world: World, who: str = ANNA) -> list[Decision]:
    return [
        decision
        for _ in range(3)
        for decision in world.see("playback.buffered", SECOND, who, title_id="dune")
    ]


def test_who_has_to_wait_thrice_in_ten_minutes_gets_an_apology_with_a_discount() -> None:
    world = world_with("buffering-apology")
    [decision] = wait_thrice(world)
    assert offered(decision) == ["buffering-discount"]
    [message] = sent(decision)
    assert message.parameters["code"].startswith("code-")
    world.at += HOUR
    for _ in range(6):
        assert world.see("playback.buffered", 5 * MINUTE, title_id="dune") == []


def test_there_is_one_discount_in_a_billing_period() -> None:
    world = world_with("buffering-apology")
    assert told(wait_thrice(world)) == ["acted"]
    world.at += 31 * DAY + HOUR
    assert told(wait_thrice(world)) == ["held_back:offer_limit"]
    world.at += DAY
    assert told(wait_thrice(world)) == ["acted"]


def test_nobody_is_apologised_to_further_when_many_wait_at_once() -> None:
    world = world_with("buffering-apology")
    decisions = [each for n in range(25) for each in wait_thrice(world, f"viewer-{n}")]
    assert told(decisions) == ["acted"] * 20 + ["held_back:mass:not_sent"] * 5


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
