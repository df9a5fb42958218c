"""What may happen to what is paid from, cards and accounts, and to cases."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.accounts.cases import CASE, NoSuchCase, ResolvedOtherwise
from app.modules.accounts.instruments import (
    ACCOUNT,
    CARD,
    MAX_REMEMBERED_TRANSACTIONS,
    CardIsFrozen,
    NoSuchCard,
    OtherCustomersAccount,
    OtherCustomersCard,
)
from app.testing.specs import given
from tests.controls import accounts as a


def test_a_card_is_charged() -> None:
    given(CARD).when(a.charge).then(a.charged)


def test_charging_it_again_for_the_same_is_nothing_even_when_it_is_frozen() -> None:
    given(CARD, a.charged).when(a.charge).then_nothing()
    given(CARD, a.charged, a.frozen).when(a.charge).then_nothing()


def test_a_frozen_card_is_not_charged() -> None:
    given(CARD, a.frozen).when(a.charge).then_refused(CardIsFrozen)


def test_an_unfrozen_card_is_charged() -> None:
    given(CARD, a.frozen, a.unfrozen).when(a.charge).then(a.charged)


def test_a_card_that_was_never_used_can_be_frozen() -> None:
    given(CARD).when(a.freeze).then(a.frozen)


def test_freezing_a_frozen_card_is_nothing() -> None:
    given(CARD, a.frozen).when(replace(a.freeze, reason="stolen")).then_nothing()


def test_unfreezing_a_card_that_is_not_frozen_is_nothing() -> None:
    given(CARD, a.charged).when(a.unfreeze).then_nothing()
    given(CARD, a.frozen).when(a.unfreeze).then(a.unfrozen)


def test_unfreezing_an_unknown_card_is_refused() -> None:
    given(CARD).when(a.unfreeze).then_refused(NoSuchCard)


def test_another_customers_card_is_refused() -> None:
    for command in (a.charge, a.freeze, a.unfreeze):
        by_boris = replace(command, customer_id=a.BORIS)
        given(CARD, a.charged).when(by_boris).then_refused(OtherCustomersCard)


def test_a_card_remembers_its_newest_transactions() -> None:
    many = [
        replace(a.charged, transaction_id=str(n)) for n in range(MAX_REMEMBERED_TRANSACTIONS + 1)
    ]
    given(CARD, *many).when(replace(a.charge, transaction_id="1")).then_nothing()
    given(CARD, *many).when(replace(a.charge, transaction_id="0")).then(many[0])


def test_an_account_is_given_a_limit() -> None:
    given(ACCOUNT).when(a.set_limit).then(a.limit_set)
    given(ACCOUNT, a.limit_set).when(a.set_limit).then_nothing()


def test_another_customers_account_is_refused() -> None:
    by_boris = replace(a.set_limit, customer_id=a.BORIS)
    given(ACCOUNT, a.limit_set).when(by_boris).then_refused(OtherCustomersAccount)


def test_a_transfer_above_the_limit_is_noted_once() -> None:
    given(ACCOUNT, a.limit_set).when(a.check_transfer).then(a.limit_exceeded)
    given(ACCOUNT, a.limit_set, a.limit_exceeded).when(a.check_transfer).then_nothing()


def test_a_transfer_up_to_the_limit_or_of_a_currency_without_one_is_nothing() -> None:
    given(ACCOUNT, a.limit_set).when(replace(a.check_transfer, amount=500_000)).then_nothing()
    given(ACCOUNT, a.limit_set).when(replace(a.check_transfer, currency="USD")).then_nothing()
    given(ACCOUNT).when(a.check_transfer).then_nothing()


def test_a_case_is_opened_once() -> None:
    given(CASE).when(a.open_case).then(a.case_opened)
    given(CASE, a.case_opened).when(a.open_case).then_nothing()
    given(CASE, a.case_opened, a.case_released).when(a.open_case).then_nothing()


def test_a_case_is_resolved_once() -> None:
    given(CASE, a.case_opened).when(a.resolve_released).then(a.case_released)
    given(CASE, a.case_opened, a.case_released).when(a.resolve_released).then_nothing()


def test_resolving_a_case_otherwise_is_refused() -> None:
    given(CASE, a.case_opened, a.case_released).when(a.resolve_blocked).then_refused(
        ResolvedOtherwise
    )


def test_resolving_no_case_is_refused() -> None:
    given(CASE).when(a.resolve_released).then_refused(NoSuchCase)


@pytest.mark.parametrize(
    ("decider", "event"),
    [(CARD, a.limit_set), (CARD, a.unfrozen), (ACCOUNT, a.frozen), (CASE, a.case_released)],
)
def test_an_event_of_something_else_is_not_folded(decider: Decider[Any, Any], event: Event) -> None:
    with pytest.raises(UnknownEvent):
        decider.evolve(decider.initial, event)
