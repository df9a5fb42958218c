"""What may happen to a payment, whatever its provider says, how often and in which order."""

import pytest

from app.kernel.errors import UnknownEvent
from app.modules.payments.decider import (
    MAX_REFUNDS,
    PAYMENT,
    ConfirmRefund,
    NoSuchPayment,
    NoSuchRefund,
    PaymentDiffers,
    PaymentNotCaptured,
    RefundDiffers,
    RefundReserved,
    RefundTooLarge,
    RequestPayment,
    RequestRefund,
    TooManyRefunds,
)
from app.modules.payments.events import PaymentRefundRequested
from app.testing.specs import given
from tests.controls import shop

REQUESTED = (shop.payment_requested,)
DECLINED = (*REQUESTED, shop.declined)
CANCELLED = (*REQUESTED, shop.payment_cancelled)
CAPTURED = (*REQUESTED, shop.captured)
SOME_BACK = (*CAPTURED, shop.some_refund_requested)
ALL_BACK = (*CAPTURED, shop.all_refund_requested)


def test_a_payment_is_requested_once() -> None:
    given(PAYMENT).when(shop.request_payment).then(shop.payment_requested)
    for history in (REQUESTED, DECLINED, CANCELLED, CAPTURED):
        given(PAYMENT, *history).when(shop.request_payment).then_nothing()


def test_another_payment_under_the_same_id_is_refused() -> None:
    for other in (
        RequestPayment("boris", shop.TOTAL, "EUR"),
        RequestPayment("anna", 1, "EUR"),
        RequestPayment("anna", shop.TOTAL, "USD"),
    ):
        given(PAYMENT, *REQUESTED).when(other).then_refused(PaymentDiffers)


def test_a_payment_is_confirmed_once() -> None:
    given(PAYMENT, *REQUESTED).when(shop.confirm_payment).then(shop.captured)
    given(PAYMENT, *CAPTURED).when(shop.confirm_payment).then_nothing()
    given(PAYMENT, *ALL_BACK).when(shop.confirm_payment).then_nothing()


def test_a_payment_is_declined_once() -> None:
    given(PAYMENT, *REQUESTED).when(shop.decline_payment).then(shop.declined)
    given(PAYMENT, *DECLINED).when(shop.decline_payment).then_nothing()


def test_a_decline_that_comes_late_is_nothing() -> None:
    for history in (CAPTURED, CANCELLED):
        given(PAYMENT, *history).when(shop.decline_payment).then_nothing()


def test_money_that_comes_after_a_decline_counts() -> None:
    given(PAYMENT, *DECLINED).when(shop.confirm_payment).then(shop.captured)


def test_money_that_comes_after_a_cancellation_goes_back() -> None:
    for history in (CANCELLED, (*DECLINED, shop.payment_cancelled)):
        given(PAYMENT, *history).when(shop.confirm_payment).then(
            shop.captured, shop.all_refund_requested
        )


def test_a_payment_without_money_is_cancelled_once() -> None:
    given(PAYMENT, *REQUESTED).when(shop.cancel_payment).then(shop.payment_cancelled)
    given(PAYMENT, *DECLINED).when(shop.cancel_payment).then(shop.payment_cancelled)
    given(PAYMENT, *CANCELLED).when(shop.cancel_payment).then_nothing()


def test_cancelling_a_captured_payment_gives_back_what_is_left_of_it_once() -> None:
    given(PAYMENT, *CAPTURED).when(shop.cancel_payment).then(shop.all_refund_requested)
    given(PAYMENT, *SOME_BACK).when(shop.cancel_payment).then(
        PaymentRefundRequested("cancellation", shop.TOTAL - 500)
    )
    given(PAYMENT, *ALL_BACK).when(shop.cancel_payment).then_nothing()


def test_a_refund_is_requested_once() -> None:
    given(PAYMENT, *CAPTURED).when(shop.refund_some).then(shop.some_refund_requested)
    given(PAYMENT, *SOME_BACK).when(shop.refund_some).then_nothing()
    given(PAYMENT, *SOME_BACK, shop.some_refunded).when(shop.refund_some).then_nothing()


def test_another_refund_under_the_same_id_is_refused() -> None:
    given(PAYMENT, *SOME_BACK).when(RequestRefund("broken", 501)).then_refused(RefundDiffers)


def test_the_refund_of_a_cancellation_is_made_by_cancelling_alone() -> None:
    by_hand = RequestRefund("cancellation", shop.TOTAL)
    for history in (CAPTURED, ALL_BACK):
        given(PAYMENT, *history).when(by_hand).then_refused(RefundReserved)


def test_no_more_goes_back_than_came() -> None:
    rest = shop.TOTAL - 500
    given(PAYMENT, *SOME_BACK).when(RequestRefund("rest", rest)).then(
        PaymentRefundRequested("rest", rest)
    )
    given(PAYMENT, *SOME_BACK).when(RequestRefund("rest", rest + 1)).then_refused(RefundTooLarge)


def test_what_has_not_come_does_not_go_back() -> None:
    for history in (REQUESTED, DECLINED, CANCELLED):
        given(PAYMENT, *history).when(shop.refund_some).then_refused(PaymentNotCaptured)


def test_a_payment_has_a_bounded_number_of_refunds() -> None:
    many = [PaymentRefundRequested(f"r{number}", 1) for number in range(MAX_REFUNDS)]
    given(PAYMENT, *CAPTURED, *many).when(shop.refund_some).then_refused(TooManyRefunds)


def test_a_refund_is_confirmed_once() -> None:
    given(PAYMENT, *SOME_BACK).when(shop.confirm_some).then(shop.some_refunded)
    given(PAYMENT, *SOME_BACK, shop.some_refunded).when(shop.confirm_some).then_nothing()


def test_a_refund_that_nobody_asked_for_is_not_there() -> None:
    for history in (REQUESTED, CAPTURED, SOME_BACK):
        given(PAYMENT, *history).when(ConfirmRefund("other")).then_refused(NoSuchRefund)


def test_a_payment_that_was_never_requested_is_not_there() -> None:
    for command in (
        shop.confirm_payment,
        shop.decline_payment,
        shop.cancel_payment,
        shop.refund_some,
        shop.confirm_some,
    ):
        given(PAYMENT).when(command).then_refused(NoSuchPayment)


def test_a_payment_knows_whose_it_is() -> None:
    assert PAYMENT.customer_of(PAYMENT.initial) is None
    for history in (REQUESTED, DECLINED, CANCELLED, CAPTURED, ALL_BACK):
        assert PAYMENT.customer_of(PAYMENT.fold(history)) == "anna"


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        PAYMENT.evolve(PAYMENT.initial, shop.received)
