"""The laws of deciders, for orders, payments and their fulfilment (those of stock are with it)."""

from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from app.kernel.decider import Decider
from app.modules.orders.decider import ORDER
from app.modules.payments.decider import PAYMENT, ConfirmRefund, RequestRefund
from app.reactions.fulfilment.decider import (
    FULFILMENT,
    Begin,
    Expire,
    NoteCancelled,
    NotePaid,
    NoteShipped,
    NoteStock,
)
from app.reactions.fulfilment.events import Wanted
from tests.controls import shop
from tests.specs.test_laws import (
    MAX_COMMANDS,
    check_that_folds_agree,
    check_that_repeats_are_nothing_or_refused,
    law,
)

skus = st.sampled_from([shop.CUP, shop.TEA])
refund_ids = st.sampled_from(["cancellation", "broken"])
WANTED = (Wanted(shop.CUP, 2, 1250), Wanted(shop.TEA, 3, 500))

COMMANDS: Sequence[tuple[Decider[Any, Any], st.SearchStrategy[Any]]] = [
    (
        ORDER,
        st.sampled_from([shop.place, shop.confirm, shop.cancel, shop.ship, shop.deliver]),
    ),
    (
        PAYMENT,
        st.sampled_from(
            [
                shop.request_payment,
                shop.confirm_payment,
                shop.decline_payment,
                shop.cancel_payment,
            ]
        )
        | st.builds(RequestRefund, refund_ids, st.integers(1, shop.TOTAL + 1))
        | st.builds(ConfirmRefund, refund_ids),
    ),
    (
        FULFILMENT,
        st.sampled_from([Expire(), NoteCancelled(), NoteShipped(), NotePaid(shop.TOTAL, "EUR")])
        | st.builds(
            Begin,
            st.just("anna"),
            st.just(WANTED),
            st.just("EUR"),
            st.just(shop.TOTAL),
            st.booleans(),
        )
        | st.builds(NoteStock, skus, st.integers(0, 3)),
    ),
]


@pytest.mark.parametrize(
    ("decider", "commands"), COMMANDS, ids=lambda of: getattr(of, "category", "")
)
@law
@hypothesis.given(data=st.data())
def test_what_is_folded_event_by_event_equals_what_is_folded_at_once(
    decider: Decider[Any, Any], commands: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    check_that_folds_agree(decider, data.draw(st.lists(commands, max_size=MAX_COMMANDS)))


@pytest.mark.parametrize(
    ("decider", "commands"), COMMANDS, ids=lambda of: getattr(of, "category", "")
)
@law
@hypothesis.given(data=st.data())
def test_nothing_to_do_stays_nothing(
    decider: Decider[Any, Any], commands: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    sent = data.draw(st.lists(commands, max_size=MAX_COMMANDS))
    check_that_repeats_are_nothing_or_refused(decider, sent)
