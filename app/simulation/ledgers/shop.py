"""The shop's books: orders, money and stock."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import Account, first, of_type

TIME_TO_PAY = timedelta(minutes=15)
_ENDS = {
    "order.delivered": "delivered",
    "order.cancelled": "cancelled",
    "order.shipped": "on the way",
    "order.confirmed": "waiting to be shipped",
    "order.placed": "waiting to be paid",
}
_SOLD = frozenset({"delivered", "on the way", "waiting to be shipped"})


def orders(log: Log, now: datetime) -> Account:
    """Every order ended, or is open for a reason; what was confirmed was paid and kept before."""
    account = Account("orders")
    for order_id, events in log.things("order"):
        thing = f"order {order_id}"
        account.once(thing, events, _ENDS)
        types = {entry.type for entry in events}
        status = status_of(events)
        payment = log.stream(f"payment-order-{order_id}")
        if {"order.cancelled", "order.shipped"} <= types:
            account.object(f"{thing}: cancelled, and shipped as well")
        elif status == "waiting to be paid" and first(payment, "payment.captured"):
            account.object(f"{thing}: paid, but neither confirmed nor cancelled")
        elif status == "waiting to be paid" and events[0].recorded_at + TIME_TO_PAY < now:
            account.object(f"{thing}: neither paid in time nor cancelled")
        else:
            account.count(status)
        _confirmed(account, log, order_id, events, payment)
    return account


def status_of(order: Sequence[Entry]) -> str:
    """How an order ended, or where it is."""
    types = {entry.type for entry in order}
    return next((status for tag, status in _ENDS.items() if tag in types), "unknown")


def _confirmed(
    account: Account, log: Log, order_id: str, events: Sequence[Entry], payment: Sequence[Entry]
) -> None:
    """Nothing is confirmed to a customer before both payment and stock are there."""
    confirmed = first(events, "order.confirmed")
    if confirmed is None:
        if first(events, "order.shipped", "order.delivered"):
            account.object(f"order {order_id}: shipped, but never confirmed")
        return
    captured = first(payment, "payment.captured")
    if captured is None or captured.position > confirmed.position:
        account.object(f"order {order_id}: confirmed before it was paid")
    for line in confirmed.data["lines"]:
        stock = of_type(log.stream(f"inventory-{line['sku']}"), "inventory.reserved")
        kept = [each for each in stock if each.data["order_id"] == order_id]
        if not kept or kept[0].position > confirmed.position:
            account.object(f"order {order_id}: confirmed before {line['sku']} was kept")
        elif kept[0].data["quantity"] != line["quantity"]:
            account.object(f"order {order_id}: confirmed for more of {line['sku']} than was kept")


def money(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """Money captured less what was refunded is the value of what was sold, order by order."""
    account = Account("payments")
    for payment_id, events in log.things("payment"):
        thing = f"payment {payment_id}"
        account.once(thing, events, ("payment.requested", "payment.captured"))
        captured = sum(each.data["amount"] for each in of_type(events, "payment.captured"))
        wanted = Counter[str]()
        for each in of_type(events, "payment.refund_requested"):
            wanted[each.data["refund_id"]] += each.data["amount"]
        refunded = Counter[str]()
        for each in of_type(events, "payment.refunded"):
            refunded[each.data["refund_id"]] += each.data["amount"]
        for refund_id in sorted(wanted.keys() | refunded.keys()):
            if wanted[refund_id] != refunded[refund_id]:
                account.object(
                    f"{thing}: of the refund {refund_id}, {wanted[refund_id]} are wanted, and "
                    f"{refunded[refund_id]} were sent"
                )
        value = _value(log, payment_id)
        kept = captured - refunded.total()
        if value is not None and kept != value and wanted == refunded:
            account.object(f"{thing}: {kept} are kept, for goods of {value}")
        account.count("captured" if captured else "not captured")
        account.count("refunds", len(refunded))
    return account


def _value(log: Log, payment_id: str) -> int | None:
    """Of what an order sold; None for a payment of something else."""
    order_id = payment_id.removeprefix("order-")
    events = log.stream(f"order-{order_id}")
    if order_id == payment_id or not events:
        return None
    confirmed = first(events, "order.confirmed")
    is_sold = status_of(events) in _SOLD
    return confirmed.data["total"] if confirmed and is_sold else 0


def stock(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """All that was received is on hand, kept or shipped; never below zero, and nothing twice."""
    account = Account("units")
    for sku, events in log.things("inventory"):
        shelf = _Shelf(account, sku)
        for entry in events:
            shelf.enter(entry)
        shelf.check(log)
        account.count("received", shelf.received)
        account.count("shipped", shelf.shipped.total())
        account.count("kept for orders", shelf.kept.total())
        account.count("on hand", shelf.on_hand)
    return account


class _Shelf:
    """Of one thing."""

    def __init__(self, account: Account, sku: str) -> None:
        self._account = account
        self._sku = sku
        self.received = self.on_hand = 0
        self.kept: Counter[str] = Counter()
        self.shipped: Counter[str] = Counter()

    def enter(self, entry: Entry) -> None:
        quantity: int = entry.data.get("quantity", 0)
        order_id: str = entry.data.get("order_id", "")
        match entry.type:
            case "inventory.received":
                self.received += quantity
                self.on_hand += quantity
            case "inventory.reserved":
                if self.kept[order_id]:
                    self._object(f"kept twice for order {order_id}")
                self.kept[order_id] += quantity
                self.on_hand -= quantity
            case "inventory.released" | "inventory.shipped":
                self._take(order_id, quantity, entry.type)
        if self.on_hand < 0:
            self._object(f"{-self.on_hand} more than there were are promised")

    def _take(self, order_id: str, quantity: int, how: str) -> None:
        if self.kept[order_id] != quantity:
            kept = self.kept[order_id]
            self._object(f"{how} {quantity} for order {order_id}, for which {kept} were kept")
        self.kept[order_id] -= quantity
        if how == "inventory.shipped":
            self.shipped[order_id] += quantity
        else:
            self.on_hand += quantity

    def check(self, log: Log) -> None:
        """That what is kept and what has left is so for an order that says the same."""
        if self.received != self.on_hand + self.kept.total() + self.shipped.total():
            self._object("what was received is not what is there and what has left")
        for order_id, quantity in (self.kept + self.shipped).items():
            status = status_of(log.stream(f"order-{order_id}"))
            wanted = "waiting to be shipped" if self.kept[order_id] else "on the way"
            if status not in {wanted, "delivered"} or (
                status == "delivered" and self.kept[order_id]
            ):
                self._object(f"{quantity} for order {order_id}, which is {status}")
            else:
                self._check_line(log, order_id, quantity)

    def _check_line(self, log: Log, order_id: str, quantity: int) -> None:
        confirmed = first(log.stream(f"order-{order_id}"), "order.confirmed")
        lines = confirmed.data["lines"] if confirmed else ()
        sold = sum(line["quantity"] for line in lines if line["sku"] == self._sku)
        if sold != quantity:
            self._object(f"{quantity} for order {order_id}, which is to get {sold}")

    def _object(self, complaint: str) -> None:
        self._account.object(f"{self._sku}: {complaint}")
