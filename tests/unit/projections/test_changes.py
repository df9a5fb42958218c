"""What is different between two states of a customer."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from projections.customers.queries import Consent, Customer, Identity
from projections.diff.changes import changes_between

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANN = Customer("ann", 1, NOON, None, None, 0, Raw(b"{}"), (), (), stale=False)


def ann(**fields: Any) -> Customer:
    if "traits" in fields:
        fields["traits"] = Raw(msgspec.json.encode(fields["traits"]))
    return msgspec.structs.replace(ANN, **fields)


def changes(before: Customer | None, after: Customer) -> Any:
    return msgspec.json.decode(msgspec.json.encode(changes_between(before, after)))


def test_a_customer_that_stayed_the_same_has_no_changes() -> None:
    assert changes(ann(traits={"plan": "pro"}), ann(traits={"plan": "pro"})) == []


def test_what_is_new_has_no_before_and_what_is_gone_no_after() -> None:
    before = ann(traits={"gone": 1, "plan": "free", "same": [1, {"a": None}]})
    after = ann(version=2, last_seen=NOON, traits={"new": 2, "plan": {}, "same": [1, {"a": None}]})
    assert changes(before, after) == [
        {"path": "version", "before": 1, "after": 2},
        {"path": "last_seen", "after": "2026-11-22T12:00:00Z"},
        {"path": "traits.new", "after": 2},
        {"path": "traits.plan", "before": "free", "after": {}},
        {"path": "traits.gone", "before": 1},
    ]


def test_consents_and_identities_change_whole() -> None:
    news = Consent("email", "news", True, NOON)
    withdrawn = msgspec.structs.replace(news, granted=False)
    phone = Identity(UUID(int=1), "phone", NOON)
    found = changes(ann(consents=[news], identities=[phone]), ann(consents=[withdrawn]))
    assert [(change["path"], change.keys() - {"path"}) for change in found] == [
        ("consents.email.news", {"before", "after"}),
        (f"identities.{UUID(int=1)}", {"before"}),
    ]
    assert found[0]["before"] == found[0]["after"] | {"granted": True}
    assert found[1]["before"]["kind"] == "phone"


def test_names_with_dots_are_not_taken_for_each_other() -> None:
    consents = [Consent("a.b", "c", True, NOON), Consent("a", "b.c", True, NOON)]
    assert len(changes(ANN, ann(consents=consents))) == len(consents)


def test_of_a_customer_that_was_not_there_everything_is_new() -> None:
    assert changes(None, ann(traits={"plan": "free"})) == [
        {"path": "version", "after": 1},
        {"path": "registered_at", "after": "2026-11-22T12:00:00Z"},
        {"path": "events", "after": 0},
        {"path": "traits.plan", "after": "free"},
    ]
