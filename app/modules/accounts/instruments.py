"""What transactions are paid from: cards, which can be frozen, and accounts, which have limits."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.accounts.events import (
    CardCharged,
    CardFrozen,
    CardUnfrozen,
    TransferLimitExceeded,
    TransferLimitSet,
)

MAX_REMEMBERED_TRANSACTIONS = 100
"""Of a card, of an account: these many of the newest are known again when they are repeated."""


class NoSuchCard(NotFound, Refused):
    """There is no such card."""


class CardIsFrozen(Refused):
    """The card is frozen."""


class OtherCustomersCard(Refused):
    """The card belongs to another customer."""


class OtherCustomersAccount(Refused):
    """The account belongs to another customer."""


class ChargeCard(Struct, frozen=True):
    """Let a transaction be paid with the card; goes together with `RecordTransaction`.

    Since it is recorded in the card's own stream, no transaction comes in behind a freeze.
    """

    transaction_id: str
    customer_id: str


class FreezeCard(Struct, frozen=True):
    """Let no more transactions be paid with the card, which may be one that was never used."""

    customer_id: str
    reason: str


class UnfreezeCard(Struct, frozen=True):
    """Let transactions be paid with the card again."""

    customer_id: str


class SetTransferLimit(Struct, frozen=True):
    """Transfers above this amount, in minor units of the currency, are a risk."""

    customer_id: str
    amount: int
    currency: str


class CheckTransfer(Struct, frozen=True):
    """Note it when a transfer is above the limit in its currency, where there is one."""

    transaction_id: str
    amount: int
    currency: str


CardCommand = ChargeCard | FreezeCard | UnfreezeCard
AccountCommand = SetTransferLimit | CheckTransfer


class UnknownCard(Struct, frozen=True):
    """A card that was neither used nor frozen yet."""


class ActiveCard(Struct, frozen=True):
    """A card that can be used."""

    customer_id: str
    charged: tuple[str, ...] = ()
    """The newest transactions."""


class FrozenCard(ActiveCard, frozen=True):
    """A card that cannot be used."""


Card = UnknownCard | ActiveCard | FrozenCard


def decide_card(command: CardCommand, card: Card) -> Sequence[Event]:
    """What follows from a command to a card."""
    if not isinstance(card, UnknownCard) and card.customer_id != command.customer_id:
        raise OtherCustomersCard
    match command:
        case ChargeCard(transaction_id, customer_id):
            return _charge(transaction_id, customer_id, card)
        case FreezeCard(customer_id, reason):
            return () if isinstance(card, FrozenCard) else (CardFrozen(customer_id, reason),)
        case UnfreezeCard():
            return _unfreeze(card)
        case _:
            assert_never(command)


def _charge(transaction_id: str, customer_id: str, card: Card) -> Sequence[Event]:
    if not isinstance(card, UnknownCard) and transaction_id in card.charged:
        return ()
    if isinstance(card, FrozenCard):
        raise CardIsFrozen
    return (CardCharged(transaction_id, customer_id),)


def _unfreeze(card: Card) -> Sequence[Event]:
    if isinstance(card, UnknownCard):
        raise NoSuchCard
    return (CardUnfrozen(),) if isinstance(card, FrozenCard) else ()


def evolve_card(card: Card, event: Event) -> Card:
    """The card after an event."""
    charged = () if isinstance(card, UnknownCard) else card.charged
    match event:
        case CardCharged(transaction_id, customer_id):
            return ActiveCard(customer_id, _newest(charged, transaction_id))
        case CardFrozen(customer_id=customer_id):
            return FrozenCard(customer_id, charged)
        case CardUnfrozen() if not isinstance(card, UnknownCard):
            return ActiveCard(card.customer_id, charged)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of this card")


class Account(Struct, frozen=True):
    """An account, as far as transfers from it are judged."""

    customer_id: str | None = None
    limits: Mapping[str, int] = {}
    """In minor units, by currency."""
    exceeded_by: tuple[str, ...] = ()
    """The newest transactions."""


def decide_account(command: AccountCommand, account: Account) -> Sequence[Event]:
    """What follows from a command to an account."""
    match command:
        case SetTransferLimit():
            return _set_transfer_limit(command, account)
        case CheckTransfer(transaction_id, amount, currency):
            limit = account.limits.get(currency)
            if limit is None or amount <= limit or transaction_id in account.exceeded_by:
                return ()
            return (TransferLimitExceeded(transaction_id),)
        case _:
            assert_never(command)


def _set_transfer_limit(command: SetTransferLimit, account: Account) -> Sequence[Event]:
    if account.customer_id not in {None, command.customer_id}:
        raise OtherCustomersAccount
    if account.limits.get(command.currency) == command.amount:
        return ()
    return (TransferLimitSet(command.customer_id, command.amount, command.currency),)


def evolve_account(account: Account, event: Event) -> Account:
    """The account after an event."""
    match event:
        case TransferLimitSet(customer_id, amount, currency):
            limits = {**account.limits, currency: amount}
            return replace(account, customer_id=customer_id, limits=limits)
        case TransferLimitExceeded(transaction_id):
            return replace(account, exceeded_by=_newest(account.exceeded_by, transaction_id))
        case _:
            raise UnknownEvent(f"{event.tag} is no event of an account")


def _newest(known: tuple[str, ...], transaction_id: str) -> tuple[str, ...]:
    return (*known, transaction_id)[-MAX_REMEMBERED_TRANSACTIONS:]


CARD: Decider[CardCommand, Card] = Decider(
    category="card",
    initial=UnknownCard(),
    decide=decide_card,
    evolve=evolve_card,
    events=(CardCharged, CardFrozen, CardUnfrozen),
)
"""Whose an event is, the command says: a charge is on nobody's timeline, the transaction is."""

ACCOUNT: Decider[AccountCommand, Account] = Decider(
    category="account",
    initial=Account(),
    decide=decide_account,
    evolve=evolve_account,
    events=(TransferLimitSet, TransferLimitExceeded),
    customer_of=lambda account: account.customer_id,
)
