"""Orders, payments, inventory and what joins them, played in a world in memory."""

import random
from datetime import timedelta

import pytest

from app.kernel.event import Event
from app.modules.inventory.decider import INVENTORY, ReceiveStock, Stock
from app.modules.messages.events import MessageRequested
from app.modules.orders.decider import ORDER, Cancelled, Confirmed, PlaceOrder
from app.modules.orders.events import Line, OrderCancelled, OrderConfirmed
from app.modules.payments.decider import PAYMENT, Captured, ConfirmRefund, PaymentCommand, Requested
from app.reactions.fulfilment.policy import FULFILMENT_POLICY, TIME_TO_PAY
from app.testing.world import World
from tests.controls import shop
from tests.controls.shop import CUP, TEA

ORDERS, ITEMS = 100, 10


@pytest.fixture
def world() -> World:
    """Five cups and five teas are there."""
    world = World([FULFILMENT_POLICY])
    for sku in (CUP, TEA):
        world.send(INVENTORY, sku, shop.receive)
    return world


def place(world: World, command: PlaceOrder = shop.place) -> None:
    world.send(ORDER, "42", command, "anna")
    world.react()


def pay(world: World) -> None:
    world.send(PAYMENT, "order-42", shop.confirm_payment)
    world.react()


def told(world: World) -> list[str]:
    happened = (entry.happened.event for entry in world.log)
    return [event.kind for event in happened if isinstance(event, MessageRequested)]


def stock(world: World, sku: str = CUP) -> Stock:
    found: Stock = world.state(INVENTORY, sku)
    return found


def tags(events: list[Event]) -> list[str]:
    return [event.tag for event in events]


def rest_of_money(world: World) -> int:
    payment = world.state(PAYMENT, "order-42")
    return payment.rest if isinstance(payment, Captured) else 0


def test_an_order_goes_from_payment_by_stock_to_the_customer(world: World) -> None:
    place(world)
    assert isinstance(world.state(PAYMENT, "order-42"), Requested)
    assert told(world) == []
    pay(world)
    assert world.happened("order-42") == [shop.placed, shop.confirmed]
    assert (stock(world).reserved, stock(world, TEA).reserved) == (2, 3)
    assert told(world) == ["order-confirmed"]
    world.send(ORDER, "42", shop.ship)
    world.react()
    assert (stock(world), stock(world, TEA)) == (Stock(3, 2), Stock(2, 3))
    world.send(ORDER, "42", shop.deliver)
    world.react()
    assert told(world) == ["order-confirmed", "order-shipped"]
    assert rest_of_money(world) == shop.TOTAL
    assert world.timers == {}
    assert world.refusals == []


def test_all_of_it_stands_on_the_customers_timeline_but_the_stock(world: World) -> None:
    place(world)
    pay(world)
    for entry in world.log:
        is_stock = entry.stream.startswith("inventory-")
        assert entry.happened.customer_id == (None if is_stock else "anna")


def test_a_declined_payment_cancels_the_order(world: World) -> None:
    place(world)
    world.send(PAYMENT, "order-42", shop.decline_payment)
    world.react()
    assert world.happened("order-42")[-1] == OrderCancelled("payment-declined")
    assert told(world) == ["order-cancelled"]
    assert world.timers == {}


def test_money_that_comes_after_the_decline_goes_back(world: World) -> None:
    place(world)
    world.send(PAYMENT, "order-42", shop.decline_payment)
    world.send(PAYMENT, "order-42", shop.confirm_payment)
    world.react()
    assert isinstance(world.state(ORDER, "42"), Cancelled)
    assert rest_of_money(world) == 0


def test_an_order_that_nobody_pays_is_cancelled_after_its_time(world: World) -> None:
    place(world)
    world.pass_time(TIME_TO_PAY - timedelta(seconds=1))
    assert world.happened("order-42") == [shop.placed]
    world.pass_time(timedelta(seconds=1))
    assert world.happened("order-42")[-1] == OrderCancelled("payment-timeout")
    assert told(world) == ["order-cancelled"]


def test_money_that_comes_after_the_time_goes_back(world: World) -> None:
    place(world)
    world.pass_time(TIME_TO_PAY)
    pay(world)
    assert world.happened("payment-order-42")[-1] == shop.all_refund_requested
    world.send(PAYMENT, "order-42", shop.cancel_payment)
    world.send(PAYMENT, "order-42", shop.confirm_payment)
    assert world.happened("payment-order-42")[-1] == shop.all_refund_requested
    assert stock(world) == Stock(available=5)


def test_an_order_cancelled_while_it_is_paid_gets_its_money_back(world: World) -> None:
    place(world)
    world.send(ORDER, "42", shop.cancel)
    world.send(PAYMENT, "order-42", shop.confirm_payment)
    world.react()
    assert rest_of_money(world) == 0
    assert stock(world) == Stock(available=5)
    assert told(world) == ["order-cancelled"]


def test_a_confirmed_order_is_undone_when_it_is_cancelled(world: World) -> None:
    place(world)
    pay(world)
    world.send(ORDER, "42", shop.cancel)
    world.react()
    assert (stock(world), stock(world, TEA)) == (Stock(5), Stock(5))
    assert rest_of_money(world) == 0
    world.send(PAYMENT, "order-42", ConfirmRefund("cancellation"))
    world.react()
    assert told(world) == ["order-confirmed", "order-cancelled", "order-refunded"]


def test_an_order_whose_payment_is_cancelled_ends(world: World) -> None:
    place(world)
    pay(world)
    world.send(PAYMENT, "order-42", shop.cancel_payment)
    world.react()
    assert world.happened("order-42")[-1] == OrderCancelled("payment-cancelled")
    assert stock(world) == Stock(available=5)


def test_without_all_of_its_stock_an_order_is_cancelled_and_keeps_none(world: World) -> None:
    place(world, PlaceOrder("anna", (shop.CUPS, Line(TEA, 6, 500)), "EUR"))
    pay(world)
    assert world.happened("order-42")[-1] == OrderCancelled("out-of-stock")
    assert (stock(world), stock(world, TEA)) == (Stock(5), Stock(5))
    assert rest_of_money(world) == 0
    assert told(world) == ["order-cancelled"]


def test_an_order_that_allows_a_part_gets_that_and_the_rest_of_its_money(world: World) -> None:
    lines = (shop.CUPS, Line(TEA, 6, 500), Line("spoon", 1, 300))
    place(world, PlaceOrder("anna", lines, "EUR", allow_partial=True))
    pay(world)
    part = OrderConfirmed((shop.CUPS, Line(TEA, 5, 500)), 5000)
    assert world.happened("order-42")[-1] == part
    assert rest_of_money(world) == part.total
    world.send(ORDER, "42", shop.cancel)
    world.react()
    assert rest_of_money(world) == 0


def test_of_many_who_want_the_last_ones_each_gets_one_or_the_money_back() -> None:
    world = World([FULFILMENT_POLICY])
    chance = random.Random(5)
    world.send(INVENTORY, CUP, ReceiveStock(ITEMS))
    numbers = [str(number) for number in range(ORDERS)]
    for number in numbers:
        place_one = PlaceOrder(f"c{number}", (Line(CUP, 1, 1250),), "EUR")
        world.send(ORDER, number, place_one, f"c{number}")
    world.react()
    callbacks: list[tuple[str, PaymentCommand]] = [
        *((number, shop.confirm_payment) for number in numbers * 2),
        *((number, shop.decline_payment) for number in numbers[::10]),
    ]
    chance.shuffle(callbacks)
    for number, what in callbacks:
        world.send(PAYMENT, f"order-{number}", what)
        for _ in range(chance.randrange(6)):
            world.step()
    world.react()
    confirmed = {number for number in numbers if isinstance(world.state(ORDER, number), Confirmed)}
    assert len(confirmed) == ITEMS
    assert stock(world) == Stock(0, 0, stock(world).reservations)
    assert stock(world).reservations.keys() == confirmed
    for number in numbers:
        rest = world.state(PAYMENT, f"order-{number}").rest
        assert rest == (1250 if number in confirmed else 0)
    assert len(world.all(OrderCancelled)) == ORDERS - ITEMS
    assert world.timers == {}
