"""The bank: payments by card and transfers, a scorer outside, customers who answer, analysts."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random

from app.simulation import words
from app.simulation.businesses.inbox import reading
from app.simulation.crowd import Person
from app.simulation.scripts import Script, ask, awaited, hours, minutes, post, together

UNTIL_CASE = timedelta(minutes=40)
"""Well beyond what a customer has to answer in."""
TRANSFER_LIMIT = 50_000
OPEN_CASES_SHARE = 0.15
SPREES_SHARE = 0.15
PAYMENTS_A_SPREE = 6


def banking(chance: Random, person: Person, name: str) -> Script:
    """Some harmless payments with a card, or transfers; then perhaps one that is not."""
    is_card = chance.random() < 0.7
    kind, paid_from = ("card", f"card-{name}") if is_card else ("transfer", f"account-{name}")
    payment = {"customer_id": person.customer_id, "kind": kind, "paid_from": paid_from}
    if not is_card:
        limit = {"amount": TRANSFER_LIMIT, "currency": "EUR"}
        path = f"accounts/{paid_from}/set-transfer-limit"
        yield from post(path, customer_id=person.customer_id, **limit)
    for number in range(chance.randint(0, 2)):
        amount = chance.randrange(300, 20_000)
        harmless = _details(chance, amount) | payment
        yield from post(f"transactions/{name}-{number}/record", **harmless)
        yield from _scoring(chance, f"{name}-{number}", chance.randint(0, 60))
        yield minutes(chance.randint(5, 90))
    if is_card and chance.random() < SPREES_SHARE:
        yield from _spree(chance, name, payment)
        return
    if chance.random() < 0.4:
        return
    transaction = f"{name}-x"
    large = _details(chance, chance.randrange(60_000, 300_000)) | payment
    for _ in range(chance.choice((1, 1, 2))):
        yield from post(f"transactions/{transaction}/record", **large)
    if is_card:  # a transfer is above the limit
        yield from _scoring(chance, transaction, chance.randint(70, 100))
    if not (yield from awaited(f"transaction-{transaction}", "transaction.held")):
        return
    yield from reading(chance, person, f"transaction-held:{transaction}")
    manner = chance.choices(list(MANNERS_OF_ANSWERING), list(MANNERS_OF_ANSWERING.values()))[0]
    yield from manner(chance, transaction)
    if is_card:
        yield from _after(chance, person, transaction, _details(chance, 990) | payment)


def _spree(chance: Random, name: str, payment: Mapping[str, object]) -> Script:
    """Somebody tries out the card: a rule may think that this is too quick, and hold the last."""
    names = [f"{name}-s{number}" for number in range(PAYMENTS_A_SPREE)]
    for each in names:
        small = _details(chance, chance.randrange(100, 900))
        yield from post(f"transactions/{each}/record", **small, **payment)
    if (yield from awaited(f"transaction-{names[-1]}", "transaction.held")):
        yield from chance.choice((_saying_yes, _saying_no, _saying_nothing))(chance, names[-1])


def _details(chance: Random, amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR", "counterparty": chance.choice(words.SHOPS)}


def _scoring(chance: Random, transaction: str, score: int) -> Script:
    signal = {"score": score, "reasons": ["unusual place"] if score > 50 else []}
    for _ in range(chance.choice((1, 1, 2))):
        path = f"transactions/{transaction}/record-risk"
        yield from post(path, **signal, scorer="scorer-2")


def _saying_yes(chance: Random, transaction: str) -> Script:
    yield minutes(chance.randint(0, 4))
    for _ in range(chance.choice((1, 1, 2))):
        yield from post(f"transactions/{transaction}/confirm")


def _saying_no(chance: Random, transaction: str) -> Script:
    yield minutes(chance.randint(0, 4))
    for _ in range(chance.choice((1, 1, 2))):
        yield from post(f"transactions/{transaction}/deny")


def _saying_both(_chance: Random, transaction: str) -> Script:
    """Two people share the account."""
    answers = [f"transactions/{transaction}/{answer}" for answer in ("confirm", "deny")]
    yield from together(ask(path, "answered-otherwise") for path in answers)


def _saying_nothing(chance: Random, transaction: str) -> Script:
    yield from _case(chance, transaction, None)


def _answering_late(chance: Random, transaction: str) -> Script:
    yield from _case(chance, transaction, chance.choice(("confirm", "deny")))


def _case(chance: Random, transaction: str, answer: str | None) -> Script:
    """The time is over, an analyst decides; the customer may still say something meanwhile."""
    outcome = "released" if answer == "confirm" else "blocked"
    if not (yield from awaited(f"case-{transaction}", "case.opened", within=UNTIL_CASE)):
        return
    analysts_hours, answers_first = chance.randint(1, 6), chance.random() < 0.7
    if answer and answers_first:
        yield minutes(chance.randint(1, 40))
        yield from post(f"transactions/{transaction}/{answer}")
    if chance.random() < OPEN_CASES_SHARE:
        return
    yield hours(analysts_hours)
    for _ in range(chance.choice((1, 1, 2))):
        path = f"cases/{transaction}/resolve"
        yield from post(path, outcome=outcome, analyst=f"analyst-{chance.randint(1, 4)}")
    if answer and not answers_first:
        decided = ("transaction.released", "transaction.blocked")
        if not (yield from awaited(f"transaction-{transaction}", *decided)):
            return
        yield from post(f"transactions/{transaction}/{answer}", "already-decided")


MANNERS_OF_ANSWERING: Mapping[Callable[[Random, str], Script], int] = {
    _saying_yes: 5,
    _saying_no: 3,
    _saying_both: 1,
    _saying_nothing: 3,
    _answering_late: 3,
}
"""What customers say when they are asked whether it was them, and how often."""


def _after(
    chance: Random, person: Person, transaction: str, payment: Mapping[str, object]
) -> Script:
    """A card that was frozen cannot pay any more, until it is unfrozen."""
    card = str(payment["paid_from"])
    ends = ("transaction.released", "transaction.denied", "transaction.blocked")
    became = yield from awaited(f"transaction-{transaction}", *ends)
    if became in {None, "transaction.released"}:
        return
    if not (yield from awaited(f"card-{card}", "card.frozen")):
        return
    if chance.random() < 0.5:
        yield from post(f"transactions/{transaction}-after/record", "card-is-frozen", **payment)
    else:
        yield hours(chance.randint(1, 5))
        yield from post(f"cards/{card}/unfreeze", customer_id=person.customer_id)
        yield from post(f"transactions/{transaction}-after/record", **payment)
