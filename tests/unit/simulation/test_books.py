"""The books find whatever does not balance, in a log that did before it was doctored."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.simulation.books import Leftovers, balance
from app.simulation.entries import Entry, Log

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = BEGAN + timedelta(days=3)
NOTHING_LEFT = Leftovers((), ())
Told = tuple[float, str, str, Mapping[str, Any]]
"""Minutes since it began, stream, type, data."""


def at(minutes: float) -> str:
    return (BEGAN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


LINES = [{"sku": "cup", "quantity": 2, "unit_price": 500}]
ORDERED = {"customer_id": "ann", "lines": LINES, "total": 1000}
SHOP: Sequence[Told] = (
    (0, "cart-c", "cart.opened", {}),
    (1, "cart-c", "cart.checked_out", {"lines": LINES, "total": 1000}),
    (1, "inventory-cup", "inventory.received", {"quantity": 5}),
    (2, "order-1", "order.placed", ORDERED),
    (2, "payment-order-1", "payment.requested", {"amount": 1000}),
    (3, "payment-order-1", "payment.captured", {"amount": 1000}),
    (3, "inventory-cup", "inventory.reserved", {"order_id": "1", "quantity": 2}),
    (3, "order-1", "order.confirmed", {"lines": LINES, "total": 1000}),
    (3, "message-order-confirmed:1", "message.requested", {}),
    (4, "message-order-confirmed:1", "message.read", {}),
    (9, "order-1", "order.shipped", {}),
    (9, "inventory-cup", "inventory.shipped", {"order_id": "1", "quantity": 2}),
    (9, "message-order-shipped:1", "message.requested", {}),
    (99, "order-1", "order.delivered", {}),
    (100, "order-2", "order.placed", ORDERED),
    (100, "payment-order-2", "payment.requested", {"amount": 1000}),
    (101, "payment-order-2", "payment.captured", {"amount": 1000}),
    (101, "inventory-cup", "inventory.reserved", {"order_id": "2", "quantity": 2}),
    (102, "order-2", "order.cancelled", {"reason": "late"}),
    (102, "inventory-cup", "inventory.released", {"order_id": "2", "quantity": 2}),
    (102, "payment-order-2", "payment.refund_requested", {"refund_id": "x", "amount": 1000}),
    (102, "message-order-cancelled:2", "message.requested", {}),
    (103, "payment-order-2", "payment.refunded", {"refund_id": "x", "amount": 1000}),
)
OFFERED = {"round": 1, "driver_ids": ["d1", "d2"], "expires_at": at(11)}
RIDES: Sequence[Told] = (
    (10, "ride-1", "ride.requested", {"customer_id": "ann"}),
    (10, "ride-1", "ride.offered", OFFERED),
    (10.5, "ride-1", "ride.claimed", {"driver_id": "d1"}),
    (12, "ride-1", "ride.started", {"driver_id": "d1"}),
    (20, "ride-1", "ride.completed", {"driver_id": "d1"}),
    (20, "ride-2", "ride.requested", {"customer_id": "ann"}),
    (22, "ride-2", "ride.unserved", {"round": 0}),
)
HELD: Sequence[Told] = (
    (0, "transaction-1", "transaction.recorded", {}),
    (0, "transaction-1", "transaction.held", {}),
    (0, "message-transaction-held:1", "message.requested", {}),
    (15, "transaction-1", "transaction.unanswered", {}),
    (15, "case-1", "case.opened", {}),
    (90, "case-1", "case.resolved", {"outcome": "blocked"}),
    (90, "transaction-1", "transaction.blocked", {"card_id": "visa"}),
    (90, "card-visa", "card.frozen", {}),
)
CLOCKS = {
    "first_response": {"due_at": at(60), "warn_at": None},
    "resolution": {"due_at": at(480), "warn_at": None},
}
ASKED = {"customer_id": "ann", "is_automatic": False, **CLOCKS}
ACKNOWLEDGED = {"question_id": "1", "at": at(0)}
SUPPORT: Sequence[Told] = (
    (0, "question-1", "support.question_opened", ASKED),
    (0, "correspondent-ann", "support.question_acknowledged", ACKNOWLEDGED),
    (0, "message-question-acknowledged:1", "message.requested", {}),
    (1, "question-2", "support.question_opened", ASKED),
    (60, "question-1", "support.question_escalated", {"limit": "first_response", "due_at": at(60)}),
    (61, "question-1", "support.question_answered", {"is_automatic": False}),
    (62, "question-1", "support.question_resolved", {}),
    (62, "question-2", "support.customer_awaited", {}),
)
PERIOD = {"began_at": at(0), "ends_at": at(1000)}
MEDIA: Sequence[Told] = (
    (0, "playback-1", "playback.started", {}),
    (1, "playback-1", "playback.paused", {"sequence": 1}),
    (2, "playback-1", "playback.finished", {"sequence": 3}),
    (0, "subscription-1", "subscription.started", PERIOD),
    (1000, "subscription-1", "subscription.renewed", {"began_at": at(1000), "ends_at": at(9000)}),
)
DECIDED = {
    "rule": "order-updates",
    "instance": "i-1",
    "step": "pattern",
    "trigger": "order-1 order.confirmed",
    "outcome": "acted",
    "held": [],
    "did": [{"what": "send", "stream": "message-m"}],
}
RULES: Sequence[Told] = (
    (0, "rule-order-updates", "rule.went_live", {}),
    (3, "decision-1", "decision.made", DECIDED),
    (3, "message-m", "message.requested", {"actor": "rule:order-updates"}),
)
EVERYTHING = (*SHOP, *RIDES, *HELD, *SUPPORT, *MEDIA, *RULES)


def entries_of(told: Sequence[Told]) -> list[Entry]:
    in_time = sorted(told, key=lambda each: each[0])
    return [
        Entry(
            position,
            stream,
            type_,
            data,
            BEGAN + timedelta(minutes=minutes),
            event_id=f"{stream} {type_}",
            metadata={"actor": data.get("actor")},
        )
        for position, (minutes, stream, type_, data) in enumerate(in_time, 1)
    ]


def complaints(
    told: Sequence[Told], left: Leftovers = NOTHING_LEFT, now: datetime = NOW
) -> list[str]:
    accounts = balance(Log(entries_of(told)), now, left)
    return [complaint for account in accounts for complaint in account.wrong]


def test_a_log_in_order_balances() -> None:
    assert complaints(EVERYTHING) == []


def test_what_is_there_is_counted() -> None:
    accounts = {each.name: each for each in balance(Log(entries_of(EVERYTHING)), NOW, NOTHING_LEFT)}
    assert accounts["orders"].counts == {"delivered": 1, "cancelled": 1}
    assert accounts["units"].counts == {
        "received": 5, "shipped": 2, "kept for orders": 0, "on hand": 3,
    }  # fmt: skip
    assert accounts["rides"].counts == {"completed": 1, "unserved": 1}
    assert accounts["transactions"].counts == {"held, blocked": 1}
    assert accounts["questions"].counts == {"resolved": 1, "waiting for the customer": 1}
    assert accounts["acknowledgements"].counts == {"sent": 1, "one for a burst": 1}


Doctor = Callable[[Sequence[Told]], Sequence[Told]]


def without(stream: str, type_: str) -> Doctor:
    return lambda told: [each for each in told if each[1:3] != (stream, type_)]


def twice(stream: str, type_: str) -> Doctor:
    return lambda told: [*told, *(each for each in told if each[1:3] == (stream, type_))]


def also(minutes: float, stream: str, type_: str, /, **data: Any) -> Doctor:
    return lambda told: [*told, (minutes, stream, type_, data)]


def said(stream: str, type_: str, *, at_minute: float | None = None, **data: Any) -> Doctor:
    return lambda told: [
        (each[0] if at_minute is None else at_minute, stream, type_, {**each[3], **data})
        if each[1:3] == (stream, type_)
        else each
        for each in told
    ]


DOCTORED: Sequence[tuple[Doctor, str]] = [
    (without("order-2", "order.cancelled"), "order 2: paid, but neither confirmed nor cancelled"),
    (also(5, "order-3", "order.placed", **ORDERED), "order 3: neither paid in time nor cancelled"),
    (twice("order-1", "order.delivered"), "order 1: order.delivered happened 2 times"),
    (also(110, "order-2", "order.shipped"), "order 2: cancelled, and shipped as well"),
    (without("payment-order-1", "payment.captured"), "order 1: confirmed before it was paid"),
    (said("order-1", "order.confirmed", at_minute=2), "order 1: confirmed before cup was kept"),
    (without("order-1", "order.confirmed"), "order 1: shipped, but never confirmed"),
    (without("payment-order-2", "payment.refunded"), "1000 are wanted, and 0 were sent"),
    (twice("payment-order-2", "payment.refunded"), "1000 are wanted, and 2000 were sent"),
    (twice("payment-order-1", "payment.captured"), "2000 are kept, for goods of 1000"),
    (said("payment-order-1", "payment.captured", amount=900), "900 are kept, for goods of 1000"),
    (said("inventory-cup", "inventory.received", quantity=1), "cup: 1 more than there were"),
    (twice("inventory-cup", "inventory.shipped"), "inventory.shipped 2 for order 1, for which 0"),
    (without("inventory-cup", "inventory.released"), "cup: 2 for order 2, which is cancelled"),
    (without("inventory-cup", "inventory.shipped"), "cup: 2 for order 1, which is delivered"),
    (also(10.6, "ride-1", "ride.claimed", driver_id="d2"), "claimed by d2, but d1 had it"),
    (said("ride-1", "ride.claimed", driver_id="d9"), "claimed by d9, who was not asked"),
    (said("ride-1", "ride.completed", driver_id="d2"), "ride.completed with d2, but d1 has it"),
    (without("ride-1", "ride.completed"), "ride 1: driver d1 has it, and it has not ended"),
    (without("ride-2", "ride.unserved"), "ride 2: nobody has it, and it was not given up"),
    (said("ride-2", "ride.unserved", at_minute=21), "ride 2: the search was given up too early"),
    (twice("ride-2", "ride.unserved"), "ride 2: ride.unserved after it was unserved"),
    (without("transaction-1", "transaction.unanswered"), "unanswered, and no case; or a case"),
    (
        lambda told: [each for each in told if each[1] != "case-1" and each[0] not in {15, 90}],
        "transaction 1: held, and nobody asks after it",
    ),
    (without("transaction-1", "transaction.blocked"), "its case is resolved, and it is held still"),
    (also(91, "transaction-1", "transaction.released"), "transaction 1: decided 2 times"),
    (said("case-1", "case.resolved", outcome="released"), "blocked, against the analyst's word"),
    (said("transaction-1", "transaction.unanswered", at_minute=9), "was over too early"),
    (without("card-visa", "card.frozen"), "transaction 1: the card visa was not frozen"),
    (
        without("message-transaction-held:1", "message.requested"),
        "transaction 1: the customer was not asked once",
    ),
    (
        said("question-1", "support.question_answered", at_minute=30),
        "question 1: first_response was escalated although it was not due",
    ),
    (without("question-2", "support.customer_awaited"), "question 2: resolution is overdue"),
    (twice("question-1", "support.question_escalated"), "first_response was escalated again"),
    (
        said("question-1", "support.question_escalated", at_minute=50),
        "question 1: first_response was escalated too early",
    ),
    (
        without("correspondent-ann", "support.question_acknowledged"),
        "question 1: never acknowledged",
    ),
    (
        also(
            1,
            "correspondent-ann",
            "support.question_acknowledged",
            question_id="2",
            at=at(1),
        ),
        "question 2: acknowledged in the middle of a burst",
    ),
    (said("playback-1", "playback.finished", sequence=1), "an old report was taken for news"),
    (also(3, "playback-1", "playback.paused", sequence=4), "playback 1: went on after its end"),
    (without("subscription-1", "subscription.renewed"), "its period is over, and nothing followed"),
    (
        said("subscription-1", "subscription.renewed", began_at=at(1001)),
        "a period does not begin where the last one ended",
    ),
    (said("subscription-1", "subscription.renewed", at_minute=900), "renewed too early"),
    (also(5, "cart-c", "cart.item_added"), "cart c: changed after it was checked out"),
    (said("cart-c", "cart.checked_out", total=999), "cart c: its total is not that of its lines"),
    (
        twice("message-order-confirmed:1", "message.requested"),
        "message order-confirmed:1: message.requested happened 2 times",
    ),
    (
        without("message-order-shipped:1", "message.requested"),
        "order.shipped and what the customer was told differ",
    ),
    (
        said("message-order-shipped:1", "message.requested", template="shipped"),
        "message order-shipped:1: message.requested, and nothing followed",
    ),
    (twice("decision-1", "decision.made"), "decision 1: decision.made happened 2 times"),
    (also(4, "decision-2", "decision.made", **DECIDED), "instance i-1: pattern was decided 2"),
    (also(4, "decision-2", "decision.made", **DECIDED), "message-m was decided 2 times"),
    (without("decision-1", "decision.made"), "message-m was decided 0 times"),
    (without("decision-1", "decision.made"), "order 1: its updates began 0 times"),
    (without("message-m", "message.requested"), "message-m has no message.requested"),
    (
        said("decision-1", "decision.made", outcome="failed", held=[{"detail": "no such trait"}]),
        "order-updates (1) failed: no such trait",
    ),
    (
        also(5, "reaction-p", "reaction.refused", command="Go", stream="x-1", reason="no"),
        "p: Go for x-1 was refused: no",
    ),
]


@pytest.mark.parametrize(("doctor", "complaint"), DOCTORED)
def test_what_does_not_balance_is_found(doctor: Doctor, complaint: str) -> None:
    found = complaints(doctor(EVERYTHING))
    assert any(complaint in each for each in found), found


def test_a_hole_in_the_log_is_found() -> None:
    entries = entries_of(EVERYTHING)
    del entries[7]
    (events, *_) = balance(Log(entries), NOW, NOTHING_LEFT)
    assert events.wrong == ["position 8 is missing from the log"]


def test_time_that_goes_back_is_found() -> None:
    entries = entries_of(EVERYTHING)
    entries[7] = replace(entries[7], recorded_at=NOW)
    (events, *_) = balance(Log(entries), NOW, NOTHING_LEFT)
    assert events.wrong == ["position 9 was recorded before its predecessor"]


def test_work_that_is_left_is_found() -> None:
    assert complaints(EVERYTHING, Leftovers(["offer:ride-1"], ["timeline_g1 ann"])) == [
        "the timer offer:ride-1 is due, and has not fired",
        "timeline_g1 ann is parked",
    ]


def test_what_has_time_left_is_open_for_a_reason() -> None:
    open_things: Sequence[Told] = (
        (0, "order-1", "order.placed", ORDERED),
        (0, "ride-1", "ride.requested", {"customer_id": "ann"}),
        (0, "transaction-1", "transaction.held", {}),
        (0, "message-transaction-held:1", "message.requested", {}),
    )
    assert complaints(open_things, now=BEGAN + timedelta(minutes=1)) == []
    assert len(complaints(open_things, now=BEGAN + timedelta(minutes=16))) == 3
