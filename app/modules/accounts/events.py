"""What happens to transactions, to the cards and accounts they are paid from, and to cases."""

from enum import Enum
from typing import ClassVar

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive


class Kind(Enum):
    """How a transaction is paid."""

    CARD = "card"
    TRANSFER = "transfer"


class Outcome(Enum):
    """What becomes of a held transaction."""

    RELEASED = "released"
    BLOCKED = "blocked"


class Authority(Enum):
    """Who said what becomes of a held transaction."""

    CUSTOMER = "customer"
    ANALYST = "analyst"


class TransactionRecorded(Event, frozen=True):
    """The customer pays by card, or transfers money."""

    tag: ClassVar[str] = "transaction.recorded"
    title: ClassVar[str] = "Paid by {kind}"

    customer_id: str
    kind: Kind
    paid_from: str
    """The id of the card or, for a transfer, of the account."""
    amount: int
    """In the currency's minor units, such as cents."""
    currency: str
    counterparty: Sensitive[str]


class RiskRecorded(Event, frozen=True):
    """Somebody who scores risks said how likely a fraud is."""

    tag: ClassVar[str] = "transaction.risk_recorded"
    title: ClassVar[str] = "Risk of {score} by {scorer}"

    score: int
    """0 to 100."""
    reasons: tuple[str, ...]
    scorer: str


class TransactionHeld(Event, frozen=True):
    """The money does not move until the customer, or an analyst, has spoken."""

    tag: ClassVar[str] = "transaction.held"
    title: ClassVar[str] = "Held a payment by {kind}"

    kind: Kind


class TransactionConfirmed(Event, frozen=True):
    """The customer says: that was me."""

    tag: ClassVar[str] = "transaction.confirmed"
    title: ClassVar[str] = "Confirmed a payment"


class TransactionDenied(Event, frozen=True):
    """The customer says: that was not me."""

    tag: ClassVar[str] = "transaction.denied"
    title: ClassVar[str] = "Denied a payment"

    card_id: str | None
    """The card that it was paid with; null for a transfer."""


class TransactionUnanswered(Event, frozen=True):
    """The customer has not answered in time. The transaction stays held."""

    tag: ClassVar[str] = "transaction.unanswered"
    title: ClassVar[str] = "Did not answer for a payment"


class TransactionReleased(Event, frozen=True):
    """The money moves."""

    tag: ClassVar[str] = "transaction.released"
    title: ClassVar[str] = "Released a payment ({by})"

    by: Authority


class TransactionBlocked(Event, frozen=True):
    """The money never moves."""

    tag: ClassVar[str] = "transaction.blocked"
    title: ClassVar[str] = "Blocked a payment ({by})"

    by: Authority
    card_id: str | None
    """The card that it was paid with; null for a transfer."""


class CardCharged(Event, frozen=True):
    """A transaction was recorded on the card."""

    tag: ClassVar[str] = "card.charged"
    title: ClassVar[str] = "Charged by {transaction_id}"

    transaction_id: str
    customer_id: str


class CardFrozen(Event, frozen=True):
    """No more transactions are recorded on the card."""

    tag: ClassVar[str] = "card.frozen"
    title: ClassVar[str] = "Froze a card ({reason})"

    customer_id: str
    reason: str


class CardUnfrozen(Event, frozen=True):
    """The card may be used again."""

    tag: ClassVar[str] = "card.unfrozen"
    title: ClassVar[str] = "Unfroze a card"


class TransferLimitSet(Event, frozen=True):
    """Transfers from the account above this amount are a risk."""

    tag: ClassVar[str] = "account.transfer_limit_set"
    title: ClassVar[str] = "Set a limit to transfers in {currency}"

    customer_id: str
    amount: int
    """In the currency's minor units."""
    currency: str


class TransferLimitExceeded(Event, frozen=True):
    """A transfer from the account is above its limit."""

    tag: ClassVar[str] = "account.transfer_limit_exceeded"
    title: ClassVar[str] = "Transferred more than the limit"

    transaction_id: str


class CaseOpened(Event, frozen=True):
    """An analyst is to say what becomes of the transaction that has the case's id."""

    tag: ClassVar[str] = "case.opened"
    title: ClassVar[str] = "Opened a case"

    customer_id: str


class CaseResolved(Event, frozen=True):
    """An analyst has said it."""

    tag: ClassVar[str] = "case.resolved"
    title: ClassVar[str] = "Resolved a case ({outcome})"

    outcome: Outcome
    analyst: str


REGISTERED = (
    TransactionRecorded,
    RiskRecorded,
    TransactionHeld,
    TransactionConfirmed,
    TransactionDenied,
    TransactionUnanswered,
    TransactionReleased,
    TransactionBlocked,
    CardCharged,
    CardFrozen,
    CardUnfrozen,
    TransferLimitSet,
    TransferLimitExceeded,
    CaseOpened,
    CaseResolved,
)
"""The module's event types, for the catalogue."""
