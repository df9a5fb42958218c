"""What the process makes of what it hears, and what follows from what it decides."""

from datetime import timedelta
from typing import Any

import pytest

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.kernel.money import in_words
from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.inventory.decider import INVENTORY, ReleaseStock, ReserveStock, ShipStock
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.orders.decider import ORDER, CancelOrder
from app.modules.orders.events import OrderCancelled
from app.modules.payments.decider import PAYMENT, CancelPayment, RequestPayment, RequestRefund
from app.modules.payments.events import PaymentRefundRequested
from app.reactions.fulfilment.decider import (
    FULFILMENT,
    Begin,
    Expire,
    NoteCancelled,
    NotePaid,
    NoteShipped,
    NoteStock,
)
from app.reactions.fulfilment.events import (
    FulfilmentAbandoned,
    FulfilmentBegun,
    FulfilmentDispatched,
    FulfilmentFailed,
    FulfilmentPaid,
    FulfilmentSecured,
    StockAnswered,
    Wanted,
)
from app.reactions.fulfilment.policy import FULFILMENT_POLICY
from app.testing.specs import SOME_DAY, given, when
from tests.controls import shop
from tests.controls.shop import CUP, TEA, TOTAL

LINES = (Wanted(CUP, 2, 1250), Wanted(TEA, 3, 500))
ALL = {CUP: 2, TEA: 3}
TIMER = "payment-timeout:order-42"

begin = Begin("anna", LINES, "EUR", TOTAL, allow_partial=False)
begun = FulfilmentBegun("anna", LINES, "EUR", TOTAL, allow_partial=False)
begun_allowing_partial = FulfilmentBegun("anna", LINES, "EUR", TOTAL, allow_partial=True)
note_paid = NotePaid(TOTAL, "EUR")
paid = FulfilmentPaid(ALL, allow_partial=False)
paid_allowing_partial = FulfilmentPaid(ALL, allow_partial=True)
cups_kept, teas_kept = StockAnswered(CUP, 2), StockAnswered(TEA, 3)
secured = FulfilmentSecured(ALL, refund=0)
overdue = FulfilmentFailed("payment-timeout")
out_of_stock = FulfilmentFailed("out-of-stock")
abandoned = FulfilmentAbandoned((CUP, TEA))
dispatched = FulfilmentDispatched((CUP, TEA))

NOTHING: tuple[Event, ...] = ()
AWAITING = (begun,)
RESERVING = (begun, paid)
RESERVING_PART = (begun_allowing_partial, paid_allowing_partial)
SECURED = (*RESERVING, cups_kept, teas_kept, secured)
OVERDUE = (begun, overdue)
SOLD_OUT = (*RESERVING, StockAnswered(CUP, 0), out_of_stock)
ABANDONED = (*RESERVING, abandoned)
DISPATCHED = (*SECURED, dispatched)
ALL_STATES = [
    NOTHING, AWAITING, RESERVING, SECURED, OVERDUE, SOLD_OUT, ABANDONED, DISPATCHED,
]  # fmt: skip


def every_state_but(*these: tuple[Event, ...]) -> list[tuple[Event, ...]]:
    return [history for history in ALL_STATES if history not in these]


def test_an_order_begins_once() -> None:
    given(FULFILMENT).when(begin).then(begun)
    for history in every_state_but(NOTHING):
        given(FULFILMENT, *history).when(begin).then_nothing()


def test_a_payment_that_is_waited_for_is_noted() -> None:
    given(FULFILMENT, *AWAITING).when(note_paid).then(paid)


@pytest.mark.parametrize("history", every_state_but(AWAITING))
def test_a_payment_that_is_not_waited_for_is_nothing(history: tuple[Event, ...]) -> None:
    given(FULFILMENT, *history).when(note_paid).then_nothing()


def test_another_sum_does_not_pay_the_order() -> None:
    for other in (NotePaid(TOTAL - 1, "EUR"), NotePaid(TOTAL, "USD")):
        given(FULFILMENT, *AWAITING).when(other).then_nothing()


def test_an_order_that_is_not_paid_in_time_fails() -> None:
    given(FULFILMENT, *AWAITING).when(Expire()).then(overdue)


@pytest.mark.parametrize("history", every_state_but(AWAITING))
def test_the_time_to_pay_is_nothing_when_it_is_not_waited_for(history: tuple[Event, ...]) -> None:
    given(FULFILMENT, *history).when(Expire()).then_nothing()


def test_an_order_is_secured_by_the_last_answer() -> None:
    given(FULFILMENT, *RESERVING).when(NoteStock(TEA, 3)).then(teas_kept)
    given(FULFILMENT, *RESERVING, teas_kept).when(NoteStock(CUP, 2)).then(
        cups_kept, FulfilmentSecured({TEA: 3, CUP: 2}, refund=0)
    )


def test_an_answer_comes_once() -> None:
    given(FULFILMENT, *RESERVING, teas_kept).when(NoteStock(TEA, 3)).then_nothing()


def test_an_answer_about_what_was_not_ordered_is_nothing() -> None:
    given(FULFILMENT, *RESERVING).when(NoteStock("spoon", 1)).then_nothing()


@pytest.mark.parametrize("history", every_state_but(RESERVING))
def test_an_answer_that_is_not_waited_for_is_nothing(history: tuple[Event, ...]) -> None:
    given(FULFILMENT, *history).when(NoteStock(CUP, 2)).then_nothing()


def test_without_one_of_its_things_an_order_fails_at_once() -> None:
    given(FULFILMENT, *RESERVING).when(NoteStock(CUP, 0)).then(StockAnswered(CUP, 0), out_of_stock)


def test_an_order_that_allows_a_part_gets_it_and_the_rest_of_its_money() -> None:
    given(FULFILMENT, *RESERVING_PART).when(NoteStock(CUP, 1)).then(StockAnswered(CUP, 1))
    given(FULFILMENT, *RESERVING_PART, StockAnswered(CUP, 1)).when(NoteStock(TEA, 0)).then(
        StockAnswered(TEA, 0), FulfilmentSecured({CUP: 1}, refund=1250 + 3 * 500)
    )


def test_an_order_that_allows_a_part_fails_when_there_is_none() -> None:
    given(FULFILMENT, *RESERVING_PART, StockAnswered(CUP, 0)).when(NoteStock(TEA, 0)).then(
        StockAnswered(TEA, 0), out_of_stock
    )


@pytest.mark.parametrize(
    ("history", "skus"),
    [
        (AWAITING, ()),
        (OVERDUE, ()),
        (RESERVING, (CUP, TEA)),
        ((*RESERVING, cups_kept), (CUP, TEA)),
        (SOLD_OUT, (CUP, TEA)),
        (SECURED, (CUP, TEA)),
    ],
)
def test_a_cancelled_order_gives_back_what_may_be_kept(
    history: tuple[Event, ...], skus: tuple[str, ...]
) -> None:
    given(FULFILMENT, *history).when(NoteCancelled()).then(FulfilmentAbandoned(skus))


def test_a_cancellation_is_nothing_where_all_is_over() -> None:
    for history in (NOTHING, ABANDONED, DISPATCHED):
        given(FULFILMENT, *history).when(NoteCancelled()).then_nothing()


def test_a_shipped_order_takes_its_stock_along_once() -> None:
    given(FULFILMENT, *SECURED).when(NoteShipped()).then(dispatched)
    for history in every_state_but(SECURED):
        given(FULFILMENT, *history).when(NoteShipped()).then_nothing()


def test_the_process_knows_whose_the_order_is() -> None:
    assert FULFILMENT.customer_of(FULFILMENT.initial) is None
    for history in every_state_but(NOTHING):
        assert FULFILMENT.customer_of(FULFILMENT.fold(history)) == "anna"


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        FULFILMENT.evolve(FULFILMENT.initial, shop.received)


# What follows.


def follows(event: Event, thing_id: str, *expected: Send[Any] | SetTimer | CancelTimer) -> None:
    when(FULFILMENT_POLICY, event, thing_id=thing_id, customer_id="anna").then(*expected)


def told(kind: str, thing: str, text: str) -> Send[Any]:
    return Send(MESSAGE, f"{kind}:{thing}", RequestMessage(kind, text), "anna")


def to_order(command: Any) -> Send[Any]:
    return Send(ORDER, "42", command)


def to_fulfilment(command: Any) -> Send[Any]:
    return Send(FULFILMENT, "42", command)


def to_payment(command: Any) -> Send[Any]:
    return Send(PAYMENT, "order-42", command)


def to_stock(sku: str, command: Any) -> Send[Any]:
    return Send(INVENTORY, sku, command)


def test_an_order_placed_is_to_be_fulfilled_and_the_customer_told_nothing_yet() -> None:
    follows(shop.placed, "42", to_fulfilment(begin))


def test_what_has_begun_is_to_be_paid_in_fifteen_minutes() -> None:
    follows(
        begun,
        "42",
        to_payment(RequestPayment("anna", TOTAL, "EUR")),
        SetTimer(TIMER, SOME_DAY + timedelta(minutes=15), Send(FULFILMENT, "42", Expire(), "anna")),
    )


def test_of_payments_those_of_orders_are_heard() -> None:
    follows(shop.captured, "order-42", to_fulfilment(note_paid))
    for event in (shop.captured, shop.declined, shop.payment_cancelled, shop.some_refunded):
        follows(event, "subscription-7")
    follows(shop.all_refund_requested, "subscription-7")


def test_what_is_paid_is_reserved() -> None:
    follows(
        paid,
        "42",
        CancelTimer(TIMER),
        to_stock(CUP, ReserveStock("42", 2)),
        to_stock(TEA, ReserveStock("42", 3)),
    )


def test_the_answers_of_the_stock_are_noted() -> None:
    follows(shop.reserved, CUP, to_fulfilment(NoteStock(CUP, 2)))
    follows(shop.out_of_stock, CUP, to_fulfilment(NoteStock(CUP, 0)))


def test_what_is_secured_is_confirmed() -> None:
    follows(secured, "42", to_order(shop.confirm))


def test_what_is_missing_is_paid_back() -> None:
    follows(
        FulfilmentSecured({CUP: 2, TEA: 3}, refund=500),
        "42",
        to_order(shop.confirm),
        to_payment(RequestRefund("missing-stock", 500)),
    )


def test_the_customer_is_told_of_the_confirmation() -> None:
    text = "Your order 42 is confirmed: 2 of cup, 3 of tea."
    follows(shop.confirmed, "42", told("order-confirmed", "42", text))


def test_what_fails_is_cancelled() -> None:
    follows(overdue, "42", to_order(CancelOrder("payment-timeout")))
    follows(shop.declined, "order-42", to_order(CancelOrder("payment-declined")))
    follows(shop.payment_cancelled, "order-42", to_order(CancelOrder("payment-cancelled")))
    follows(shop.all_refund_requested, "order-42", to_order(CancelOrder("payment-cancelled")))


def test_a_refund_of_a_part_does_not_end_the_order() -> None:
    follows(PaymentRefundRequested("missing-stock", 500), "order-42")


def test_a_cancelled_order_is_given_up_and_the_customer_told() -> None:
    text = "Your order 42 was cancelled. What you have paid for it goes back to you."
    follows(
        OrderCancelled("out-of-stock"),
        "42",
        to_fulfilment(NoteCancelled()),
        told("order-cancelled", "42", text),
    )


def test_what_is_given_up_is_undone() -> None:
    follows(
        abandoned,
        "42",
        CancelTimer(TIMER),
        to_payment(CancelPayment()),
        to_stock(CUP, ReleaseStock("42")),
        to_stock(TEA, ReleaseStock("42")),
    )


def test_the_customer_is_told_of_each_refund_that_was_sent() -> None:
    text = "5.00 EUR of what you paid for your order 42 went back to you."
    follows(shop.some_refunded, "order-42", told("order-refunded", "42:broken", text))


def test_a_shipped_order_leaves_the_stock_and_the_customer_is_told() -> None:
    follows(
        shop.shipped,
        "42",
        to_fulfilment(NoteShipped()),
        told("order-shipped", "42", "Your order 42 is on its way."),
    )
    follows(dispatched, "42", to_stock(CUP, ShipStock("42")), to_stock(TEA, ShipStock("42")))


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1.250 KWD"),
    ],
)
def test_money_is_told_as_people_write_it(amount: int, currency: str, words: str) -> None:
    assert in_words(amount, currency) == words
