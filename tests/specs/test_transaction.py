"""What may happen to a transaction: held by a risk, decided by its customer or an analyst."""

import pytest
from msgspec.structs import replace

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.accounts.decider import (
    HOLD_AT_SCORE,
    MAX_SIGNALS,
    TRANSACTION,
    AlreadyDecided,
    AnsweredOtherwise,
    Confirm,
    Deny,
    NoSuchTransaction,
    NotHeld,
    OtherTransaction,
    TooManySignals,
)
from app.testing.specs import given
from tests.controls import accounts as a

HELD = (a.recorded, a.risk_recorded, a.held)
IN_CASE = (*HELD, a.unanswered)


def test_a_transaction_is_recorded() -> None:
    given(TRANSACTION).when(a.record).then(a.recorded)


def test_recording_it_again_is_nothing() -> None:
    given(TRANSACTION, a.recorded).when(a.record).then_nothing()


def test_another_transaction_of_its_id_is_refused() -> None:
    other = replace(a.record, amount=1)
    given(TRANSACTION, a.recorded).when(other).then_refused(OtherTransaction)


def test_a_small_risk_is_noted() -> None:
    assert a.small_risk.score == HOLD_AT_SCORE - 1
    given(TRANSACTION, a.recorded).when(a.small_risk).then(a.small_risk_recorded)


def test_a_risk_holds_the_transaction() -> None:
    assert a.risk.score == HOLD_AT_SCORE
    given(TRANSACTION, a.recorded).when(a.risk).then(a.risk_recorded, a.held)


def test_a_risk_after_a_small_one_holds_the_transaction() -> None:
    given(TRANSACTION, a.recorded, a.small_risk_recorded).when(a.risk).then(a.risk_recorded, a.held)


def test_a_repeated_signal_is_nothing_even_behind_another() -> None:
    given(TRANSACTION, *HELD).when(a.risk).then_nothing()
    given(TRANSACTION, *HELD, a.other_risk_recorded).when(a.risk).then_nothing()


@pytest.mark.parametrize(
    "since", [HELD, IN_CASE, (*HELD, a.confirmed, a.released), (*IN_CASE, a.blocked_by_analyst)]
)
def test_a_second_risk_is_only_noted(since: tuple[Event, ...]) -> None:
    given(TRANSACTION, *since).when(a.other_risk).then(a.other_risk_recorded)


def test_a_risk_of_no_transaction_is_refused() -> None:
    given(TRANSACTION).when(a.risk).then_refused(NoSuchTransaction)


def test_more_signals_than_the_limit_are_refused() -> None:
    many = [replace(a.small_risk_recorded, score=score) for score in range(MAX_SIGNALS)]
    given(TRANSACTION, a.recorded, *many[:-1]).when(a.risk).then(a.risk_recorded, a.held)
    given(TRANSACTION, a.recorded, *many).when(a.risk).then_refused(TooManySignals)


def test_a_yes_releases() -> None:
    given(TRANSACTION, *HELD).when(a.confirm).then(a.confirmed, a.released)


def test_a_no_blocks() -> None:
    given(TRANSACTION, *HELD).when(a.deny).then(a.denied, a.blocked)


def test_a_no_to_a_transfer_names_no_card() -> None:
    given(TRANSACTION, a.transferred, a.risk_recorded, a.transfer_held).when(a.deny).then(
        a.transfer_denied, a.transfer_blocked
    )


def test_the_same_answer_again_is_nothing() -> None:
    given(TRANSACTION, *HELD, a.confirmed, a.released).when(a.confirm).then_nothing()
    given(TRANSACTION, *HELD, a.denied, a.blocked).when(a.deny).then_nothing()
    given(TRANSACTION, *IN_CASE, a.denied).when(a.deny).then_nothing()
    given(TRANSACTION, *IN_CASE, a.denied, a.released_by_analyst).when(a.deny).then_nothing()


def test_the_other_answer_afterwards_is_refused() -> None:
    given(TRANSACTION, *HELD, a.confirmed, a.released).when(a.deny).then_refused(AnsweredOtherwise)
    given(TRANSACTION, *HELD, a.denied, a.blocked).when(a.confirm).then_refused(AnsweredOtherwise)
    given(TRANSACTION, *IN_CASE, a.denied).when(a.confirm).then_refused(AnsweredOtherwise)


def test_an_answer_to_no_question_is_refused() -> None:
    given(TRANSACTION, a.recorded).when(a.confirm).then_refused(NotHeld)
    given(TRANSACTION, a.recorded, a.small_risk_recorded).when(a.deny).then_refused(NotHeld)


def test_an_answer_for_no_transaction_is_refused() -> None:
    given(TRANSACTION).when(a.confirm).then_refused(NoSuchTransaction)


def test_the_customer_answers_and_nobody_else() -> None:
    given(TRANSACTION, *HELD).when(Confirm(a.ANNA)).then(a.confirmed, a.released)
    given(TRANSACTION, *HELD).when(Deny(a.ANNA)).then(a.denied, a.blocked)
    given(TRANSACTION, *HELD).when(Confirm(a.BORIS)).then_refused(NoSuchTransaction)
    given(TRANSACTION, *HELD).when(Deny(a.BORIS)).then_refused(NoSuchTransaction)


def test_the_wait_ends_without_an_answer() -> None:
    given(TRANSACTION, *HELD).when(a.stop_waiting).then(a.unanswered)


@pytest.mark.parametrize(
    "since", [(), (a.recorded,), (*HELD, a.confirmed, a.released), IN_CASE, (*IN_CASE, a.denied)]
)
def test_the_end_of_the_wait_is_nothing_when_nothing_is_waited_for(
    since: tuple[Event, ...],
) -> None:
    given(TRANSACTION, *since).when(a.stop_waiting).then_nothing()


def test_a_late_answer_is_noted_and_decides_nothing() -> None:
    given(TRANSACTION, *IN_CASE).when(a.confirm).then(a.confirmed)
    given(TRANSACTION, *IN_CASE).when(a.deny).then(a.denied)


def test_an_answer_after_the_analysts_word_is_refused() -> None:
    given(TRANSACTION, *IN_CASE, a.blocked_by_analyst).when(a.confirm).then_refused(AlreadyDecided)


def test_the_analyst_releases_or_blocks() -> None:
    given(TRANSACTION, *IN_CASE).when(a.settle_released).then(a.released_by_analyst)
    given(TRANSACTION, *IN_CASE).when(a.settle_blocked).then(a.blocked_by_analyst)
    given(TRANSACTION, *IN_CASE, a.denied).when(a.settle_released).then(a.released_by_analyst)


@pytest.mark.parametrize("since", [(), (a.recorded,), HELD, (*IN_CASE, a.released_by_analyst)])
def test_the_analysts_word_is_nothing_outside_a_case(since: tuple[Event, ...]) -> None:
    given(TRANSACTION, *since).when(a.settle_blocked).then_nothing()


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        TRANSACTION.fold([a.recorded, a.charged])
    with pytest.raises(UnknownEvent):
        TRANSACTION.fold([a.held])
