"""Books of what is played, subscribed to, put into carts, and said."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import NEVER, PUNCTUAL, Account, first


def playbacks(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """What is recorded of a playback is in the player's order, and ends with its end."""
    account = Account("playbacks")
    for playback_id, events in log.things("playback"):
        counted = [entry.data.get("sequence", 0) for entry in events]
        if any(later <= earlier for earlier, later in pairwise(counted)):
            account.object(f"playback {playback_id}: an old report was taken for news")
        finished = first(events, "playback.finished")
        if finished and finished is not events[-1]:
            account.object(f"playback {playback_id}: went on after its end")
        account.count("finished" if finished else "open, as players leave them")
    return account


def subscriptions(log: Log, now: datetime) -> Account:
    """One period follows another, without a gap, until it lapses."""
    account = Account("subscriptions")
    for subscription_id, events in log.things("subscription"):
        _subscription(account, f"subscription {subscription_id}", events, now)
    return account


def _subscription(account: Account, thing: str, events: Sequence[Entry], now: datetime) -> None:
    account.once(thing, events, ("subscription.started", "subscription.lapsed"))
    ends_at = NEVER
    status = "active"
    for entry in events:
        if status == "lapsed":
            account.object(f"{thing}: {entry.type} after it had lapsed")
        match entry.type:
            case "subscription.started":
                ends_at = datetime.fromisoformat(entry.data["ends_at"])
            case "subscription.renewed":
                if entry.data["began_at"] != _told(ends_at):
                    account.object(f"{thing}: a period does not begin where the last one ended")
                if status == "cancelled":
                    account.object(f"{thing}: renewed, although it was cancelled")
                if entry.recorded_at + PUNCTUAL < ends_at:
                    account.object(f"{thing}: renewed too early")
                ends_at = datetime.fromisoformat(entry.data["ends_at"])
                account.count("renewals")
            case "subscription.cancelled":
                status = "cancelled"
            case "subscription.lapsed":
                status = "lapsed"
    if status != "lapsed" and ends_at < now:
        account.object(f"{thing}: its period is over, and nothing followed")
    account.count(status)


def _told(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def carts(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """A cart that is checked out says what it comes to, and stays so."""
    account = Account("carts")
    for cart_id, events in log.things("cart"):
        account.once(f"cart {cart_id}", events, ("cart.checked_out", "cart.assigned"))
        out = first(events, "cart.checked_out")
        if out is None:
            account.count("left behind")
            continue
        if out is not events[-1]:
            account.object(f"cart {cart_id}: changed after it was checked out")
        lines = out.data["lines"]
        if out.data["total"] != sum(line["quantity"] * line["unit_price"] for line in lines):
            account.object(f"cart {cart_id}: its total is not that of its lines")
        account.count("checked out")
    return account


def messages(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """Everything is said once."""
    account = Account("messages")
    for message_id, events in log.things("message"):
        once = ("message.requested", "message.sent", "message.dead", "message.read")
        account.once(f"message {message_id}", events, once)
        _message(account, f"message {message_id}", events)
    for order_id, events in log.things("order"):
        for tag, kind in TOLD.items():
            told = first(log.stream(f"message-{kind}:{order_id}"), "message.requested")
            if bool(first(events, tag)) != bool(told):
                account.object(f"order {order_id}: {tag} and what the customer was told differ")
    return account


def _message(account: Account, thing: str, events: Sequence[Entry]) -> None:
    """Read, there, or given up; nothing is on its way for ever."""
    requested, last = events[0], events[-1]
    if first(events, "message.read"):
        account.count("read")
    elif last.type == "message.dead":
        account.count("given up, for there is no such channel")
    elif last.type == "message.sent" or (last is requested and not requested.data.get("template")):
        account.count("unread")
    else:
        account.object(f"{thing}: {last.type}, and nothing followed")


TOLD = {
    "order.confirmed": "order-confirmed",
    "order.shipped": "order-shipped",
    "order.cancelled": "order-cancelled",
}
