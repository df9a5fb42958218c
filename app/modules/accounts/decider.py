"""What may happen to a transaction.

One that is held ends released or blocked, or waits in an open case: a late answer of the
customer is noted there, and the analyst decides.
"""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.accounts.events import (
    Authority,
    Kind,
    Outcome,
    RiskRecorded,
    TransactionBlocked,
    TransactionConfirmed,
    TransactionDenied,
    TransactionHeld,
    TransactionRecorded,
    TransactionReleased,
    TransactionUnanswered,
)

HOLD_AT_SCORE = 70
MAX_SIGNALS = 50


class NoSuchTransaction(NotFound, Refused):
    """There is no such transaction."""


class OtherTransaction(Refused):
    """Another transaction was recorded under this id."""


class TooManySignals(Refused):
    """A transaction has at most 50 risk signals."""


class NotHeld(Refused):
    """The transaction is not held, so there is nothing to answer."""


class AnsweredOtherwise(Refused):
    """The customer has given the other answer before."""


class AlreadyDecided(Refused):
    """The transaction was released or blocked before the customer answered."""


class RecordTransaction(Struct, frozen=True):
    """Note a transaction; it goes through unless a risk is signalled."""

    customer_id: str
    kind: Kind
    paid_from: str
    amount: int
    currency: str
    counterparty: Sensitive[str]


class RecordRisk(Struct, frozen=True):
    """Note how likely a fraud is; the first that is likely enough holds the transaction."""

    score: int
    reasons: tuple[str, ...]
    scorer: str


class Confirm(Struct, frozen=True):
    """The customer's yes. Where a customer is named, it must be the transaction's."""

    customer_id: str | None = None


class Deny(Struct, frozen=True):
    """The customer's no."""

    customer_id: str | None = None


class StopWaiting(Struct, frozen=True, tag="stop-waiting"):
    """Give up waiting for the customer's answer; nothing when it is not waited for."""


class Settle(Struct, frozen=True):
    """Do as the analyst says; nothing unless the transaction is in a case."""

    outcome: Outcome


TransactionCommand = RecordTransaction | RecordRisk | Confirm | Deny | StopWaiting | Settle
Answer = TransactionConfirmed | TransactionDenied


class Unrecorded(Struct, frozen=True):
    """There is no transaction."""


class Known(Struct, frozen=True):
    """What is known of a transaction in whatever status."""

    recorded: TransactionRecorded
    signals: tuple[RiskRecorded, ...]


class Passed(Known, frozen=True):
    """It was never held: the money moves."""


class Held(Known, frozen=True):
    """The customer was asked."""


class InCase(Known, frozen=True):
    """The customer did not answer in time, so that an analyst decides."""

    answer: Answer | None = None
    """It came late."""


class Decided(Known, frozen=True):
    """It was released or blocked, for good."""

    answer: Answer | None
    outcome: Outcome


Transaction = Unrecorded | Passed | Held | InCase | Decided


def decide_transaction(command: TransactionCommand, transaction: Transaction) -> Sequence[Event]:
    """What follows from a command to a transaction."""
    match command:
        case RecordTransaction():
            return _record(command, transaction)
        case RecordRisk():
            return _record_risk(command, transaction)
        case Confirm() | Deny():
            return _answer(command, transaction)
        case StopWaiting():
            return (TransactionUnanswered(),) if isinstance(transaction, Held) else ()
        case Settle(outcome):
            return _settle(outcome, transaction)
        case _:
            assert_never(command)


def _record(command: RecordTransaction, transaction: Transaction) -> Sequence[Event]:
    recorded = TransactionRecorded(
        command.customer_id,
        command.kind,
        command.paid_from,
        command.amount,
        command.currency,
        command.counterparty,
    )
    if isinstance(transaction, Unrecorded):
        return (recorded,)
    if transaction.recorded != recorded:
        raise OtherTransaction
    return ()


def _record_risk(command: RecordRisk, transaction: Transaction) -> Sequence[Event]:
    if isinstance(transaction, Unrecorded):
        raise NoSuchTransaction
    signal = RiskRecorded(command.score, command.reasons, command.scorer)
    if signal in transaction.signals:
        return ()
    if len(transaction.signals) >= MAX_SIGNALS:
        raise TooManySignals
    if isinstance(transaction, Passed) and signal.score >= HOLD_AT_SCORE:
        return (signal, TransactionHeld(transaction.recorded.kind))
    return (signal,)


def _answer(command: Confirm | Deny, transaction: Transaction) -> Sequence[Event]:
    if isinstance(transaction, Unrecorded) or command.customer_id not in {
        None,
        transaction.recorded.customer_id,
    }:
        raise NoSuchTransaction
    says_yes = isinstance(command, Confirm)
    card_id = _card_of(transaction)
    answer: Answer = TransactionConfirmed() if says_yes else TransactionDenied(card_id)
    match transaction:
        case Passed():
            raise NotHeld
        case Held() if says_yes:
            return (answer, TransactionReleased(Authority.CUSTOMER))
        case Held():
            return (answer, TransactionBlocked(Authority.CUSTOMER, card_id))
        case InCase(answer=before) | Decided(answer=before) if before is not None:
            return _answer_again(answer, before)
        case InCase():
            return (answer,)
        case Decided():
            raise AlreadyDecided
        case _:
            assert_never(transaction)


def _answer_again(answer: Answer, before: Answer) -> Sequence[Event]:
    if answer != before:
        raise AnsweredOtherwise
    return ()


def _settle(outcome: Outcome, transaction: Transaction) -> Sequence[Event]:
    if not isinstance(transaction, InCase):
        return ()
    if outcome is Outcome.RELEASED:
        return (TransactionReleased(Authority.ANALYST),)
    return (TransactionBlocked(Authority.ANALYST, _card_of(transaction)),)


def _card_of(transaction: Known) -> str | None:
    recorded = transaction.recorded
    return recorded.paid_from if recorded.kind is Kind.CARD else None


def evolve_transaction(transaction: Transaction, event: Event) -> Transaction:
    """The transaction after an event."""
    if isinstance(event, TransactionRecorded):
        return Passed(event, ())
    if isinstance(transaction, Unrecorded):
        raise UnknownEvent(f"{event.tag} is no first event of a transaction")
    known = (transaction.recorded, transaction.signals)
    answer = transaction.answer if isinstance(transaction, InCase | Decided) else None
    match event:
        case RiskRecorded():
            return replace(transaction, signals=(*transaction.signals, event))
        case TransactionHeld():
            return Held(*known)
        case TransactionUnanswered():
            return InCase(*known)
        case TransactionConfirmed() | TransactionDenied():
            return InCase(*known, event)  # in time, the decision follows at once
        case TransactionReleased() | TransactionBlocked():
            is_released = isinstance(event, TransactionReleased)
            return Decided(*known, answer, Outcome.RELEASED if is_released else Outcome.BLOCKED)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a transaction")


def _customer_of_transaction(transaction: Transaction) -> str | None:
    return None if isinstance(transaction, Unrecorded) else transaction.recorded.customer_id


TRANSACTION: Decider[TransactionCommand, Transaction] = Decider(
    category="transaction",
    initial=Unrecorded(),
    decide=decide_transaction,
    evolve=evolve_transaction,
    events=(
        TransactionRecorded,
        RiskRecorded,
        TransactionHeld,
        TransactionConfirmed,
        TransactionDenied,
        TransactionUnanswered,
        TransactionReleased,
        TransactionBlocked,
    ),
    commands=(StopWaiting,),
    customer_of=_customer_of_transaction,
)
