"""The process from a risk to a decision, step by step and played through."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.accounts.cases import CASE, Case, OpenCase, Opened, ResolveCase, Resolved
from app.modules.accounts.decider import (
    HOLD_AT_SCORE,
    TRANSACTION,
    Decided,
    Held,
    InCase,
    RecordTransaction,
    StopWaiting,
    Transaction,
)
from app.modules.accounts.events import (
    CardCharged,
    Kind,
    Outcome,
    TransactionRecorded,
    TransactionReleased,
)
from app.modules.accounts.instruments import ACCOUNT, CARD, FreezeCard, FrozenCard
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.messages.events import MessageRequested, Priority
from app.reactions.fraud import ABOVE_LIMIT, ANSWER_WITHIN, FRAUD, QUESTIONS
from app.testing.specs import SOME_DAY, when
from app.testing.world import World
from tests.controls import accounts as a

ID = a.TRANSACTION_ID
TIMER = "answer-timeout:transaction-t-1"


def test_a_hold_asks_the_customer_and_waits() -> None:
    question = RequestMessage("transaction-held", QUESTIONS[Kind.CARD], Priority.HIGH)
    when(FRAUD, a.held, thing_id=ID, customer_id=a.ANNA).then(
        Send(MESSAGE, "transaction-held:t-1", question, customer_id=a.ANNA),
        SetTimer(TIMER, SOME_DAY + ANSWER_WITHIN, Send(TRANSACTION, ID, StopWaiting(), a.ANNA)),
    )


def test_a_transfer_is_checked_and_a_card_payment_is_not() -> None:
    when(FRAUD, a.transferred, thing_id=ID).then(Send(ACCOUNT, a.ACCOUNT_ID, a.check_transfer))
    when(FRAUD, a.recorded, thing_id=ID).then_nothing()


def test_a_transfer_above_the_limit_is_a_risk_that_holds() -> None:
    assert ABOVE_LIMIT.score >= HOLD_AT_SCORE
    when(FRAUD, a.limit_exceeded, thing_id=a.ACCOUNT_ID).then(Send(TRANSACTION, ID, ABOVE_LIMIT))


def test_no_answer_opens_a_case() -> None:
    when(FRAUD, a.unanswered, thing_id=ID, customer_id=a.ANNA).then(
        Send(CASE, ID, OpenCase(a.ANNA))
    )


def test_a_yes_ends_the_wait() -> None:
    when(FRAUD, a.released, thing_id=ID, customer_id=a.ANNA).then(CancelTimer(TIMER))


def test_a_no_ends_the_wait_and_freezes_the_card() -> None:
    when(FRAUD, a.blocked, thing_id=ID, customer_id=a.ANNA).then(
        CancelTimer(TIMER),
        Send(CARD, a.CARD_ID, FreezeCard(a.ANNA, "a payment was blocked"), customer_id=a.ANNA),
    )
    when(FRAUD, a.denied, thing_id=ID, customer_id=a.ANNA).then(
        Send(CARD, a.CARD_ID, FreezeCard(a.ANNA, "a payment was denied"), customer_id=a.ANNA),
    )


def test_a_no_to_a_transfer_freezes_nothing() -> None:
    when(FRAUD, a.transfer_denied, thing_id=ID, customer_id=a.ANNA).then_nothing()
    when(FRAUD, a.transfer_blocked, thing_id=ID, customer_id=a.ANNA).then(CancelTimer(TIMER))


def test_the_analysts_word_settles_the_transaction() -> None:
    when(FRAUD, a.case_released, thing_id=ID, customer_id=a.ANNA).then(
        Send(TRANSACTION, ID, a.settle_released)
    )
    when(FRAUD, a.released_by_analyst, thing_id=ID, customer_id=a.ANNA).then_nothing()
    when(FRAUD, a.blocked_by_analyst, thing_id=ID, customer_id=a.ANNA).then(
        Send(CARD, a.CARD_ID, FreezeCard(a.ANNA, "a payment was blocked"), customer_id=a.ANNA),
    )


def a_held_payment(record: RecordTransaction = a.record) -> World:
    world = World([FRAUD])
    world.send(TRANSACTION, ID, record, a.ANNA)
    if record.kind is Kind.CARD:
        world.send(CARD, a.CARD_ID, a.charge)
    world.send(TRANSACTION, ID, a.risk)
    world.react()
    return world


def transaction_of(world: World) -> Transaction:
    state: Transaction = world.state(TRANSACTION, ID)
    return state


def case_of(world: World) -> Case:
    state: Case = world.state(CASE, ID)
    return state


def test_the_customer_is_asked_at_once_and_once_however_many_signals_come() -> None:
    world = a_held_payment()
    world.send(TRANSACTION, ID, a.other_risk)
    world.react()
    [question] = world.all(MessageRequested)
    assert isinstance(question, MessageRequested)
    assert question.priority is Priority.HIGH
    assert isinstance(transaction_of(world), Held)


def test_a_payment_that_the_customer_confirms_goes_through() -> None:
    world = a_held_payment()
    world.send(TRANSACTION, ID, a.confirm)
    world.pass_time(timedelta(days=1))
    assert world.happened("transaction-t-1")[-2:] == [a.confirmed, a.released]
    assert not world.timers
    assert not world.happened("case-t-1")
    assert world.happened("card-visa-7") == [a.charged]


def test_a_payment_that_the_customer_denies_is_blocked_and_the_card_frozen() -> None:
    world = a_held_payment()
    world.send(TRANSACTION, ID, a.deny)
    world.pass_time(timedelta(days=1))
    assert world.happened("transaction-t-1")[-2:] == [a.denied, a.blocked]
    assert isinstance(world.state(CARD, a.CARD_ID), FrozenCard)
    assert not world.happened("case-t-1")


def test_without_an_answer_the_hold_stays_and_a_case_is_opened() -> None:
    world = a_held_payment()
    world.pass_time(ANSWER_WITHIN - timedelta(seconds=1))
    assert isinstance(transaction_of(world), Held)
    world.pass_time(timedelta(seconds=1))
    assert isinstance(transaction_of(world), InCase)
    assert case_of(world) == Opened(a.ANNA)
    world.pass_time(timedelta(days=30))
    assert isinstance(transaction_of(world), InCase)


@pytest.mark.parametrize("resolve", [a.resolve_released, a.resolve_blocked])
def test_the_analyst_decides_the_case(resolve: ResolveCase) -> None:
    world = a_held_payment()
    world.pass_time(ANSWER_WITHIN)
    world.send(CASE, ID, resolve)
    world.react()
    decided = transaction_of(world)
    assert isinstance(decided, Decided)
    assert decided.outcome is resolve.outcome
    is_frozen = isinstance(world.state(CARD, a.CARD_ID), FrozenCard)
    assert is_frozen is (resolve.outcome is Outcome.BLOCKED)


def test_a_late_no_freezes_the_card_at_once_and_leaves_the_payment_to_the_analyst() -> None:
    world = a_held_payment()
    world.pass_time(ANSWER_WITHIN)
    world.send(TRANSACTION, ID, a.deny)
    world.react()
    assert isinstance(world.state(CARD, a.CARD_ID), FrozenCard)
    assert isinstance(transaction_of(world), InCase)
    assert case_of(world) == Opened(a.ANNA)


@pytest.mark.parametrize("answers_first", [True, False])
def test_of_an_answer_and_the_timeout_the_first_in_the_log_counts(answers_first: bool) -> None:
    world = a_held_payment()
    steps: list[Callable[[], object]] = [
        lambda: world.send(TRANSACTION, ID, a.confirm),
        lambda: world.fire(TIMER),
    ]
    for step in steps if answers_first else steps[::-1]:
        step()
    world.react()
    assert isinstance(transaction_of(world), Decided if answers_first else InCase)
    assert bool(world.happened("case-t-1")) is not answers_first


def test_a_transfer_above_the_accounts_limit_is_held() -> None:
    world = World([FRAUD])
    world.send(ACCOUNT, a.ACCOUNT_ID, a.set_limit, a.ANNA)
    world.send(TRANSACTION, ID, a.record_transfer, a.ANNA)
    world.react()
    assert isinstance(transaction_of(world), Held)
    world.send(TRANSACTION, ID, a.deny)
    world.react()
    assert world.happened("transaction-t-1")[-2:] == [a.transfer_denied, a.transfer_blocked]
    assert not world.all(CardCharged)


def test_two_payments_are_two_processes() -> None:
    world = a_held_payment()
    world.send(TRANSACTION, "t-2", a.record, a.ANNA)
    world.send(TRANSACTION, "t-2", a.risk)
    world.react()
    world.send(TRANSACTION, "t-2", a.confirm)
    world.pass_time(ANSWER_WITHIN)
    assert len(world.all(TransactionRecorded)) == 2
    assert len(world.all(TransactionReleased)) == 1
    assert case_of(world) == Opened(a.ANNA)
    assert not isinstance(case_of(world), Resolved)
