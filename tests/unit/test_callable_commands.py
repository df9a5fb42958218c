"""Modules' commands as rules call them."""

import pytest

from app.engagement.commands import CALLABLE, Caller
from app.kernel.errors import InvalidInput
from app.kernel.policy import Send
from app.modules.accounts.decider import TRANSACTION, RecordRisk
from app.modules.accounts.instruments import CARD, FreezeCard
from app.modules.support.decider import QUESTION, OpenQuestion
from app.testing.specs import SOME_DAY

CALLER = Caller("fast-payments", "anna", SOME_DAY)


def test_a_flagged_transaction_has_a_risk_of_the_rule_and_stays_whose_it_is() -> None:
    sent = CALLABLE["transactions/flag"].send("t-1", {"score": 80, "reason": "velocity"}, CALLER)
    risk = RecordRisk(80, ("velocity",), "rule:fast-payments")
    assert sent == Send(TRANSACTION, "t-1", risk, customer_id=None)


def test_a_card_is_frozen_for_its_customer() -> None:
    sent = CALLABLE["cards/freeze"].send("c-1", {"reason": "velocity"}, CALLER)
    assert sent == Send(CARD, "c-1", FreezeCard("anna", "velocity"), "anna")


def test_a_question_is_the_customers_and_opened_at_the_logs_time() -> None:
    sent = CALLABLE["questions/open"].send("q-1", {"text": "Call her.", "topic": "care"}, CALLER)
    opened = OpenQuestion("anna", "Call her.", "rule", "care", False, "standard", "UTC", SOME_DAY)
    assert sent == Send(QUESTION, "q-1", opened, "anna")


@pytest.mark.parametrize(
    ("command", "thing_id", "fields", "field"),
    [
        ("transactions/flag", "t-1", {"score": 101, "reason": "x"}, "fields.score"),
        ("transactions/flag", "t-1", {"score": 1}, "fields"),
        ("transactions/flag", "t-1", {"score": 1, "reason": "x", "more": 1}, "fields"),
        ("questions/open", "q-1", {"text": "x", "topic": "x", "desk": "gone"}, "fields.desk"),
        ("cards/freeze", "a/b", {"reason": "x"}, "id"),
        ("cards/freeze", "", {"reason": "x"}, "id"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(
    command: str, thing_id: str, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        CALLABLE[command].send(thing_id, fields, CALLER)
    assert refused.value.field == field
    assert "gone" not in str(refused.value)
