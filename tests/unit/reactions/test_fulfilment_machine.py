"""Whatever comes, twice, late and in any order: money and stock balance, and no promise is broken.

The reactor is late by as much as hypothesis likes: policies react a step at a time, timers fire
some time after they fall due, while customers, providers and the warehouse go on. What the machine
believes is simple: what was answered to somebody is so.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event
from app.modules.inventory.decider import INVENTORY, ReceiveStock, Stock
from app.modules.messages.events import MessageRequested
from app.modules.orders.decider import (
    ORDER,
    Cancelled,
    CancelOrder,
    Confirmed,
    Delivered,
    DeliverOrder,
    PlaceOrder,
    ShipOrder,
    Shipped,
)
from app.modules.orders.events import Line, OrderCancelled, OrderConfirmed, OrderShipped
from app.modules.payments.decider import (
    PAYMENT,
    CancelPayment,
    Captured,
    ConfirmPayment,
    ConfirmRefund,
    DeclinePayment,
)
from app.modules.payments.events import PaymentCaptured
from app.reactions.fulfilment.policy import FULFILMENT_POLICY, TIME_TO_PAY, payment_of
from app.testing.world import World

ORDERS = ["1", "2", "3"]
SKUS = ["cup", "tea"]

orders = st.sampled_from(ORDERS)
skus = st.sampled_from(SKUS)
lines = st.lists(
    st.builds(Line, skus, st.integers(1, 3), st.sampled_from([100, 250])),
    min_size=1,
    max_size=2,
    unique_by=lambda line: line.sku,
)
callbacks = st.sampled_from([ConfirmPayment(), ConfirmPayment(), DeclinePayment("no-funds")])
steps = st.sampled_from([0, 1, 2, 4, 8, 40])
"""How far the reactor comes before the next thing happens."""


class Shop(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World([FULFILMENT_POLICY])
        self.received = Counter[str]()
        self.placed: dict[str, PlaceOrder] = {}
        self.cancelled: set[str] = set()
        self.shipped: set[str] = set()
        self.paid: set[str] = set()
        self.taken_back: set[str] = set()
        """Whose payment somebody cancelled, beside the order."""

    def sent(self, decider: Decider[Any, Any], thing_id: str, command: object) -> list[Event]:
        """What was answered; nothing is refused that these deciders do not refuse by a rule."""
        try:
            return self.world.send(decider, thing_id, command)
        except Refused:
            return []

    def react(self, steps: int) -> None:
        for _ in range(steps):
            self.world.step()

    @initialize(cups=st.integers(0, 5), teas=st.integers(0, 5))
    def open(self, cups: int, teas: int) -> None:
        for sku, quantity in (("cup", cups), ("tea", teas)):
            if quantity:
                self.receive(sku, quantity)

    @rule(sku=skus, quantity=st.integers(1, 3))
    def receive(self, sku: str, quantity: int) -> None:
        self.world.send(INVENTORY, sku, ReceiveStock(quantity))
        self.received[sku] += quantity

    @initialize(lines=lines, allow_partial=st.booleans(), steps=steps)
    def begin(self, lines: list[Line], allow_partial: bool, steps: int) -> None:
        for order_id in ORDERS:
            self.place(order_id, lines, allow_partial, steps)

    @rule(order_id=orders, lines=lines, allow_partial=st.booleans(), steps=steps)
    def place(self, order_id: str, lines: list[Line], allow_partial: bool, steps: int) -> None:
        place = PlaceOrder(f"c{order_id}", tuple(lines), "EUR", allow_partial)
        if self.sent(ORDER, order_id, place):
            self.placed[order_id] = place
        self.react(steps)

    @rule(order_id=orders, callback=callbacks, times=st.integers(1, 2), steps=steps)
    def call_back(self, order_id: str, callback: object, times: int, steps: int) -> None:
        for _ in range(times):
            events = self.sent(PAYMENT, payment_of(order_id), callback)
            if any(isinstance(event, PaymentCaptured) for event in events):
                assert order_id not in self.paid, "captured twice"
                self.paid.add(order_id)
        self.react(steps)

    @rule(order_id=orders, steps=steps)
    def pay(self, order_id: str, steps: int) -> None:
        self.call_back(order_id, ConfirmPayment(), 1, steps)

    @rule(order_id=orders)
    def cancel(self, order_id: str) -> None:
        if self.sent(ORDER, order_id, CancelOrder("asked-for")):
            self.cancelled.add(order_id)

    @rule(order_id=orders)
    def cancel_payment(self, order_id: str) -> None:
        if self.sent(PAYMENT, payment_of(order_id), CancelPayment()):
            self.taken_back.add(order_id)

    @rule(order_id=orders, steps=steps)
    def ship(self, order_id: str, steps: int) -> None:
        if self.sent(ORDER, order_id, ShipOrder()):
            self.shipped.add(order_id)
        self.react(steps)

    @rule(order_id=orders)
    def deliver(self, order_id: str) -> None:
        self.sent(ORDER, order_id, DeliverOrder())

    @rule(order_id=orders, refund=st.sampled_from(["cancellation", "missing-stock"]))
    def send_back(self, order_id: str, refund: str) -> None:
        self.sent(PAYMENT, payment_of(order_id), ConfirmRefund(refund))

    @rule()
    def catch_up(self) -> None:
        self.world.react()

    @rule()
    def wait(self) -> None:
        """Time passes; a timer that falls due fires before or after what else there is to do."""
        self.world.now += TIME_TO_PAY + timedelta(seconds=1)
        if due := self.world.due(self.world.now):
            self.world.fire(due.key)

    @invariant()
    def every_unit_is_in_one_place(self) -> None:
        for sku in SKUS:
            stock: Stock = self.world.state(INVENTORY, sku)
            assert stock.available >= 0
            assert stock.available + stock.reserved + stock.shipped == self.received[sku]

    @invariant()
    def what_is_confirmed_was_paid_and_is_kept(self) -> None:
        assert self.told()["order-confirmed"] <= len(self.world.all(OrderConfirmed))
        for order_id in self.placed:
            if isinstance(self.world.state(ORDER, order_id), Confirmed):
                assert order_id in self.paid
                assert self.kept_for(order_id) == self.confirmed_for(order_id)

    def teardown(self) -> None:
        self.settle()
        for order_id in self.placed:
            self.check_order(order_id)
        for sku in SKUS:
            stock: Stock = self.world.state(INVENTORY, sku)
            assert stock.reservations.keys() <= self.placed.keys()
        assert self.world.timers == {}
        self.check_messages()

    def settle(self) -> None:
        """All is heard, all timers fire, all refunds are sent, each of them twice."""
        self.world.pass_time(TIME_TO_PAY)
        for order_id in ORDERS * 2:
            for refund in ("cancellation", "missing-stock"):
                self.send_back(order_id, refund)
        self.world.react()

    def check_order(self, order_id: str) -> None:
        order = self.world.state(ORDER, order_id)
        payment = self.world.state(PAYMENT, payment_of(order_id))
        kept_money = 0
        if isinstance(payment, Captured):
            assert order_id in self.paid
            assert all(refund.is_confirmed for refund in payment.refunds.values())
            kept_money = payment.rest
        match order:
            case Cancelled():
                assert order_id not in self.shipped
                assert (kept_money, self.kept_for(order_id)) == (0, {})
            case Confirmed():
                assert order_id not in self.cancelled | self.taken_back
                assert kept_money == order.confirmed.total
                assert self.kept_for(order_id) == self.confirmed_for(order_id)
            case Shipped() | Delivered():
                assert order_id in self.shipped - self.cancelled
                assert kept_money == order.confirmed.total or order_id in self.taken_back
                assert self.kept_for(order_id) == {}
            case _:
                raise AssertionError(f"{order!r} is waiting for nothing")

    def kept_for(self, order_id: str) -> dict[str, int]:
        states = {sku: self.world.state(INVENTORY, sku) for sku in SKUS}
        return {
            sku: stock.reservations[order_id].quantity
            for sku, stock in states.items()
            if order_id in stock.reservations
        }

    def confirmed_for(self, order_id: str) -> dict[str, int]:
        order = self.world.state(ORDER, order_id)
        return {line.sku: line.quantity for line in order.confirmed.lines}

    def told(self) -> Counter[str]:
        happened = (entry.happened.event for entry in self.world.log)
        return Counter(event.kind for event in happened if isinstance(event, MessageRequested))

    def check_messages(self) -> None:
        """One for each thing that there was to tell."""
        told = self.told()
        assert told["order-confirmed"] == len(self.world.all(OrderConfirmed))
        assert told["order-cancelled"] == len(self.world.all(OrderCancelled))
        assert told["order-shipped"] == len(self.world.all(OrderShipped)) == len(self.shipped)
        shipped = Counter[str]()
        for order_id in self.shipped:
            shipped.update(self.confirmed_for(order_id))
        for sku in SKUS:
            assert self.world.state(INVENTORY, sku).shipped == shipped[sku]


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
