"""The books, from the log alone: whether every thing that was begun is accounted for."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from app.simulation.entries import Log
from app.simulation.ledgers.account import Account
from app.simulation.ledgers.bank import holds
from app.simulation.ledgers.desk import acknowledgements, questions
from app.simulation.ledgers.engagement import decisions
from app.simulation.ledgers.fleet import rides
from app.simulation.ledgers.media import carts, messages, playbacks, subscriptions
from app.simulation.ledgers.shop import money, orders, stock

EXPECTED_REFUSALS: frozenset[tuple[str, str]] = frozenset()
"""Commands of reactions, and the codes that may refuse them."""


class Leftovers(NamedTuple):
    """What is not in the log: work that was not done."""

    overdue_timers: Sequence[str]
    parked_keys: Sequence[str]


def reactions(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """Nothing that policies want is refused, or it is known why."""
    account = Account("refused reactions")
    for policy, events in log.things("reaction"):
        for entry in events:
            command, reason = entry.data["command"], entry.data["reason"]
            if (command, reason) in EXPECTED_REFUSALS:
                account.count("expected")
            else:
                stream = entry.data["stream"]
                account.object(f"{policy}: {command} for {stream} was refused: {reason}")
    return account


def positions(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """The log has no hole, and its time never goes back."""
    account = Account("events")
    for nth, entry in enumerate(log.entries, 1):
        if entry.position != nth:
            account.object(f"position {nth} is missing from the log")
            break
    for earlier, later in pairwise(log.entries):
        if later.recorded_at < earlier.recorded_at:
            account.object(f"position {later.position} was recorded before its predecessor")
    account.count("in the log", len(log.entries))
    return account


ACCOUNTS: Sequence[Callable[[Log, datetime], Account]] = (
    positions,
    carts,
    orders,
    money,
    stock,
    rides,
    holds,
    questions,
    acknowledgements,
    playbacks,
    subscriptions,
    messages,
    decisions,
    reactions,
)


def balance(log: Log, now: datetime, leftovers: Leftovers) -> list[Account]:
    """All accounts, of a store that has come to rest at a time."""
    undone = Account("undone work")
    for key in leftovers.overdue_timers:
        undone.object(f"the timer {key} is due, and has not fired")
    for key in leftovers.parked_keys:
        undone.object(f"{key} is parked")
    return [*(account(log, now) for account in ACCOUNTS), undone]
