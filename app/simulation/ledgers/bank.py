"""The bank's books: every hold is released, blocked, or in an open case."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import PUNCTUAL, Account, first, of_type

TIME_TO_ANSWER = timedelta(minutes=15)
ASKED = "message.requested"
_DECISIONS = ("transaction.released", "transaction.blocked")


def holds(log: Log, now: datetime) -> Account:
    """Every transaction, and first of all those that were held."""
    account = Account("transactions")
    for transaction_id, events in log.things("transaction"):
        thing = f"transaction {transaction_id}"
        once = ("transaction.recorded", "transaction.held", "transaction.unanswered")
        account.once(thing, events, once)
        held = first(events, "transaction.held")
        if held is None:
            if first(events, *_DECISIONS):
                account.object(f"{thing}: decided, but never held")
            account.count("passed")
            continue
        if len(of_type(log.stream(f"message-transaction-held:{transaction_id}"), ASKED)) != 1:
            account.object(f"{thing}: the customer was not asked once")
        case = log.stream(f"case-{transaction_id}")
        _asked(account, thing, events, case)
        _decided(account, thing, events, case)
        is_over = held.recorded_at + TIME_TO_ANSWER < now
        if is_over and not first(events, *_DECISIONS, "transaction.unanswered"):
            account.object(f"{thing}: held, and nobody asks after it")
        _frozen(account, thing, log, events)
    return account


def _asked(account: Account, thing: str, events: Sequence[Entry], case: Sequence[Entry]) -> None:
    """The customer first, and in vain; then an analyst."""
    held, unanswered = first(events, "transaction.held"), first(events, "transaction.unanswered")
    if (
        held
        and unanswered
        and unanswered.recorded_at + PUNCTUAL < held.recorded_at + TIME_TO_ANSWER
    ):
        account.object(f"{thing}: the time to answer was over too early")
    if bool(unanswered) != bool(first(case, "case.opened")):
        account.object(f"{thing}: unanswered, and no case; or a case, although it was answered")
    account.once(thing, case, ("case.opened", "case.resolved"))


def _decided(account: Account, thing: str, events: Sequence[Entry], case: Sequence[Entry]) -> None:
    decisions, resolved = of_type(events, *_DECISIONS), first(case, "case.resolved")
    if len(decisions) > 1:
        account.object(f"{thing}: decided {len(decisions)} times")
    elif decisions:
        outcome = decisions[0].type.removeprefix("transaction.")
        if resolved and resolved.data["outcome"] != outcome:
            account.object(f"{thing}: {outcome}, against the analyst's word")
        account.count(f"held, {outcome}")
    elif resolved:
        account.object(f"{thing}: its case is resolved, and it is held still")
    elif first(events, "transaction.unanswered"):
        account.count("held, in an open case")
    else:
        account.count("held, waiting for the customer")


def _frozen(account: Account, thing: str, log: Log, events: Sequence[Entry]) -> None:
    """A card with which something was blocked or denied is frozen, at least for a while."""
    for entry in of_type(events, "transaction.blocked", "transaction.denied"):
        card_id = entry.data["card_id"]
        if card_id is None:
            continue
        card = log.stream(f"card-{card_id}")
        if not first(card, "card.frozen"):
            account.object(f"{thing}: the card {card_id} was not frozen")
