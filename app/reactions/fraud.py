"""From a risk to a decision: hold, ask the customer, and, without an answer in time, an analyst.

The transaction's own stream is the state of this process. Every hold ends released or blocked, or
waits in an open case, for the timer is set by the very event that holds, and only the answer that
decides cancels it. An answer that comes as the timer fires is before it in the log, and the timer
finds nothing to do, or behind it, and is noted for the analyst.
"""

from collections.abc import Iterable
from datetime import timedelta

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.accounts.cases import CASE, OpenCase
from app.modules.accounts.decider import TRANSACTION, RecordRisk, Settle, StopWaiting
from app.modules.accounts.events import (
    Authority,
    CaseResolved,
    Kind,
    TransactionBlocked,
    TransactionDenied,
    TransactionHeld,
    TransactionRecorded,
    TransactionReleased,
    TransactionUnanswered,
    TransferLimitExceeded,
)
from app.modules.accounts.instruments import ACCOUNT, CARD, CheckTransfer, FreezeCard
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.messages.events import Priority

ANSWER_WITHIN = timedelta(minutes=15)
ABOVE_LIMIT = RecordRisk(80, ("above the account's transfer limit",), "transfer-limit")

QUESTIONS = {
    Kind.CARD: "We hold a payment with your card. Was it you? Please answer yes or no.",
    Kind.TRANSFER: "We hold a transfer from your account. Was it you? Please answer yes or no.",
}


def _check_limit(happened: Happened[TransactionRecorded]) -> Iterable[Effect]:
    paid = happened.event
    if paid.kind is Kind.TRANSFER:
        check = CheckTransfer(happened.thing_id, paid.amount, paid.currency)
        yield Send(ACCOUNT, paid.paid_from, check)


def _signal(happened: Happened[TransferLimitExceeded]) -> Iterable[Effect]:
    yield Send(TRANSACTION, happened.event.transaction_id, ABOVE_LIMIT)


def _ask(happened: Happened[TransactionHeld]) -> Iterable[Effect]:
    transaction_id = happened.thing_id
    question = RequestMessage("transaction-held", QUESTIONS[happened.event.kind], Priority.HIGH)
    message_id = f"transaction-held:{transaction_id}"
    yield Send(MESSAGE, message_id, question, customer_id=happened.customer_id)
    yield SetTimer(
        _timer(transaction_id),
        happened.at + ANSWER_WITHIN,
        Send(TRANSACTION, transaction_id, StopWaiting(), happened.customer_id),
    )


def _open_case(happened: Happened[TransactionUnanswered]) -> Iterable[Effect]:
    if happened.customer_id is not None:
        yield Send(CASE, happened.thing_id, OpenCase(happened.customer_id))


def _settle(happened: Happened[CaseResolved]) -> Iterable[Effect]:
    yield Send(TRANSACTION, happened.thing_id, Settle(happened.event.outcome))


def _after_release(happened: Happened[TransactionReleased]) -> Iterable[Effect]:
    yield from _stop_waiting(happened.thing_id, happened.event.by)


def _after_block(happened: Happened[TransactionBlocked]) -> Iterable[Effect]:
    yield from _stop_waiting(happened.thing_id, happened.event.by)
    yield from _freeze(happened, "a payment was blocked")


def _after_denial(happened: Happened[TransactionDenied]) -> Iterable[Effect]:
    """A late denial, too: whatever the analyst says, somebody else may have the card."""
    yield from _freeze(happened, "a payment was denied")


def _stop_waiting(transaction_id: str, by: Authority) -> Iterable[Effect]:
    if by is Authority.CUSTOMER:
        yield CancelTimer(_timer(transaction_id))


def _freeze(
    happened: Happened[TransactionDenied] | Happened[TransactionBlocked], reason: str
) -> Iterable[Effect]:
    card_id, customer_id = happened.event.card_id, happened.customer_id
    if card_id is not None and customer_id is not None:
        yield Send(CARD, card_id, FreezeCard(customer_id, reason), customer_id=customer_id)


def _timer(transaction_id: str) -> str:
    return f"answer-timeout:transaction-{transaction_id}"


FRAUD = Policy(
    "fraud",
    {
        TransactionRecorded: _check_limit,
        TransferLimitExceeded: _signal,
        TransactionHeld: _ask,
        TransactionUnanswered: _open_case,
        TransactionDenied: _after_denial,
        TransactionReleased: _after_release,
        TransactionBlocked: _after_block,
        CaseResolved: _settle,
    },
)
