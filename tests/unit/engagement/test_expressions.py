import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.engagement.cel_check import check
from app.engagement.cel_program import CelExpression
from app.engagement.expressions import CannotEvaluate, InvalidExpression, Result, Scope
from app.engagement.facts import Facts, remembered
from app.engagement.shapes import Field, Kind, Shape
from app.engagement.state import Profile, SeenEvent
from app.kernel.sensitive import SensitiveFields

AT = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
EVENT_ID = UUID("019ab0c4-7a31-7cc2-9d0e-3f5b8c6d2e10")
DECLARED: Shape = {
    "amount": Field(Kind.INT),
    "price": Field(Kind.NUMBER, is_nullable=True),
    "email": Field(Kind.SENSITIVE),
    "items": Field(Kind.LIST),
    "customer.tier": Field(Kind.STRING, is_nullable=True),
    "due_at": Field(Kind.TIME, is_nullable=True),
    "word": Field(Kind.STRING, is_nullable=True),
}
NAMES = SensitiveFields().everywhere
SCOPE = Scope(
    shapes={"event": DECLARED, "trigger": None},
    sensitive={"event": NAMES, "trigger": NAMES, "profile": NAMES},
)


def sealed(digest: str) -> dict[str, Any]:
    return {"$tidings": {"sealed": "…", "digest": digest}}


def facts(*, traits: dict[str, Any] | None = None, **data: Any) -> Facts:
    known = {"amount": 5, "email": sealed("one"), "items": [{"sku": "A-7"}], **data}
    event = SeenEvent(1, EVENT_ID, "Order Placed", "anna", known, AT, AT, "42")
    profile = Profile("anna", {"tier": "gold", "email": sealed("one"), **(traits or {})})
    return Facts(profile, event, {"trigger.data.basket": {"total": 7, "email": sealed("two")}})


def value_of(text: str, result: Result = Result.BOOL, seen: Facts | None = None) -> Any:
    check(text, SCOPE, result, name="email")
    return CelExpression(text, SCOPE.shapes, result).evaluate(seen or facts())


def refusal_of(text: str, result: Result = Result.BOOL, name: str = "email") -> InvalidExpression:
    with pytest.raises(InvalidExpression) as raised:
        check(text, SCOPE, result, name=name)
    return raised.value


@pytest.mark.parametrize(
    "text",
    [
        "event.data.amount > 4 && event.type == 'Order Placed'",
        "event.thing_id == '42' && event.position == 1",
        "event.at.getHours('Europe/Berlin') == 23",
        "event.data.customer.tier == null",
        "event.data.price == null || event.data.price > 1.0",
        "event.data.items.exists(item, item.sku == 'A-7')",
        "profile.traits.tier == 'gold' && profile.customer_id == 'anna' && !profile.is_registered",
        "!has(profile.traits.city)",
        "trigger.data.basket.total == 7 && has(trigger.data.basket)",
        "event.data.email == profile.traits.email",
        "event.data.email in [profile.traits.email]",
        "event.data.email != trigger.data.basket.email",
        "has(profile.traits.email) && event.data.email != null",
        "'abc'.matches('^a[b-d]+$')",
        "[1, 2].all(event, event > 0)",  # a name of its own
    ],
)
def test_what_is_true_is_true(text: str) -> None:
    assert value_of(text) is True


def test_a_name_stands_for_the_longest_declared_field() -> None:
    expression = CelExpression("event.data.customer.tier == 'gold'", SCOPE.shapes, Result.BOOL)
    assert expression.names == {"event.data.customer.tier"}
    assert expression.evaluate(facts(customer={"tier": "gold"})) is True


def test_without_a_declaration_a_name_is_the_first_field() -> None:
    expression = CelExpression("trigger.data.basket.total > 1", SCOPE.shapes, Result.BOOL)
    assert expression.names == {"trigger.data.basket"}


def test_what_an_instance_remembers_is_what_its_expressions_see() -> None:
    data = {"basket": {"total": 7}, "nothing": None}
    trigger = SeenEvent(9, EVENT_ID, "Basket Left", "anna", data, AT, AT, "b-1")
    names = ["trigger.data.basket", "trigger.data.nothing", "trigger.data.other", "trigger.at"]
    kept = remembered(names, trigger)
    assert kept == {
        "trigger.at": "2026-03-01T22:30:00+00:00",
        "trigger.data.basket": {"total": 7},
        "trigger.data.nothing": None,
    }
    seen = Facts(Profile("anna"), None, kept)
    assert value_of("trigger.data.nothing == null && !has(trigger.data.other)", seen=seen)
    assert value_of("trigger.at < timestamp('2026-03-02T00:00:00Z')", seen=seen)


@pytest.mark.parametrize("price", [7, 7.0])
def test_a_number_is_a_float_however_json_writes_it(price: float) -> None:
    assert value_of("event.data.price / 2.0", Result.NUMBER, facts(price=price)) == 3.5


@pytest.mark.parametrize("due_at", ["2026-03-01T22:30:01Z", "2026-03-02T00:00:00+01:00"])
def test_a_time_of_the_data_is_a_time(due_at: str) -> None:
    assert value_of("event.data.due_at > event.at", seen=facts(due_at=due_at))


def test_a_time_that_is_missing_is_null() -> None:
    assert value_of("event.data.due_at == null")


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("event.data.amount > 'x'", 1, 19, "> is not defined for (int, string)"),
        ("event.data.amont > 3", 1, 11, "is it event.data.amount?"),
        ("true &&\n  event.data.colour", 2, 13, "event.data has amount,"),
        ("event.dat.amount > 3", 1, 10, "no such field of event"),
        ("evnt.data.amount > 3", 1, 10, "but event, trigger, profile"),
        ("offer.code == 'x'", 1, 6, "there is no offer here"),
        ("event.data.amount >", 1, 20, "Syntax error"),
        ("event.data.amount", 1, 1, "it is to be of type bool, and is int"),
        ("has(event.data.amount)", 1, 4, "compare it with null"),
        ("nonsense(1)", 1, 9, "there is no nonsense"),
        ("event.data.email == 'a@b.example'", 1, 11, "sensitive"),
        ("event.data.email in [profile.traits.email, 'x']", 1, 11, "sensitive"),
        ("size(profile.traits.email) > 3", 1, 20, "sensitive"),
        ("dyn(profile.traits.email) == 'x'", 1, 19, "sensitive"),
        ("profile.traits['E-Mail'] == 'x'", 1, 15, "sensitive"),
        ("[event.data.email, 'x'][0] == 'x'", 1, 12, "sensitive"),
        ("event.data.items.exists(i, i.first_name == 'x')", 1, 29, "sensitive"),
        ("profile.traits.address.city == 'x'", 1, 23, "sensitive"),
        (
            "(true ? event.data.email : profile.traits.email) == event.data.email",
            1,
            19,
            "sensitive",
        ),
        ("google.protobuf.Int64Value{value: 1} == 1", 1, 1, "messages"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    refusal = refusal_of(text)
    assert message in str(refusal)
    assert (refusal.line, refusal.column) == (line, column)


@pytest.mark.parametrize("text", ["event.data.email", "trigger.data.basket.email"])
def test_only_a_parameter_is_a_sensitive_value_and_it_stays_sealed(text: str) -> None:
    assert set(value_of(text, Result.PARAMETER)) == {"$tidings"}
    assert "has its name: email" in str(refusal_of(text, Result.PARAMETER, name="to"))
    assert "sensitive" in str(refusal_of(text, Result.VALUE))
    assert "sensitive" in str(refusal_of(f"[{text}]", Result.PARAMETER))


@pytest.mark.parametrize("text", ["duration('1h')", "b'bytes'", "1u", "type(1)"])
def test_what_json_cannot_say_is_refused(text: str) -> None:
    assert "JSON knows no" in str(refusal_of(text, Result.VALUE))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("event.data.amount > 3", {"amount": 10**30}),
        ("event.data.amount > 3", {"amount": 2**63}),
        ("event.data.amount > 3", {"amount": 4.5}),
        ("event.data.amount > 3", {"amount": True}),
        ("event.data.amount > 3", {"amount": "four"}),
        ("event.data.amount > 3", {"amount": None}),
        ("event.data.amount + 9223372036854775807 > 3", {}),
        ("event.data.amount / 0 > 3", {}),
        ("event.data.price > 3.0", {"price": None}),
        ("event.data.price > 3.0", {"price": 10**400}),
        ("event.data.due_at > event.at", {"due_at": "tomorrow"}),
        ("event.data.due_at > event.at", {"due_at": "2026-03-01T22:30:00"}),
        ("event.data.items.exists(i, i.price > 3)", {"items": [{"price": 10**30}]}),
        ("event.data.items.exists(i, i.price > 3)", {"items": {}}),
        ("event.data.word == 'x'", {"word": "\ud800"}),
        ("event.at.getHours(event.data.word) == 1", {"word": "Nowhere/At_All"}),
        ("profile.traits.nothing == 1", {}),
        ("trigger.data.nothing == 1", {}),
    ],
)
def test_what_has_no_value_cannot_be_evaluated(text: str, data: dict[str, Any]) -> None:
    with pytest.raises(CannotEvaluate):
        value_of(text, seen=facts(**data))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{'a': 1}[event.data.word] == 1", "NOT_FOUND: Key not found in map"),
        ("{'a': 1}['secret'] == 1", 'NOT_FOUND: Key not found in map : "secret"'),
    ],
)
def test_why_it_cannot_be_evaluated_tells_no_value(text: str, told: str) -> None:
    with pytest.raises(CannotEvaluate, match=re.escape(told) + "$"):
        value_of(text, seen=facts(word="secret"))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("profile.traits.tier", Result.BOOL),
        ("profile.traits.tier", Result.INT),
        ("event.data.customer.tier", Result.KEY),
        ("''", Result.KEY),
        ("profile.traits.long", Result.KEY),
        ("1.0 / 0.0", Result.VALUE),
        ("{1: 2}", Result.VALUE),
    ],
)
def test_a_value_of_another_kind_than_wanted_is_none(text: str, result: Result) -> None:
    with pytest.raises(CannotEvaluate):
        value_of(text, result, facts(traits={"long": "x" * 201}))


def test_an_ints_bounds_are_those_of_64_bits() -> None:
    seen = facts(amount=2**63 - 1)
    assert value_of("event.data.amount", Result.INT, seen) == 2**63 - 1
    assert value_of("event.data.amount", Result.KEY, facts(amount=5.0)) == 5
