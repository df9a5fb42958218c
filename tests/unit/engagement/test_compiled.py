from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.engagement.commands import CALLABLE
from app.engagement.compiled import Fault, InvalidRule, check_rule, compile_rule
from app.engagement.events import RuleSaved
from app.engagement.facts import Facts
from app.engagement.rule import MAX_BRANCH_DEPTH, MAX_STEPS, Rule
from app.engagement.shapes import EventShapes, Field, Kind
from app.engagement.state import Profile, SeenEvent
from app.kernel.sensitive import SensitiveFields

SCHEMAS = {
    "Order Placed": {
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "amount": {"type": "number"},
            "email": {"type": "string"},
            "customer": {"properties": {"tier": {"enum": ["gold", "tin"]}}, "type": "object"},
            "not a name": {"type": "string"},
            "count": {"type": ["integer", "null"]},
            "tags": {"type": "array"},
            "other": True,
        },
        "required": ["order_id", "count", "tags"],
    },
    "Anything": True,
}
KNOWN = EventShapes(CATALOGUE, SensitiveFields(), SCHEMAS.get)
CHANNELS = {"inbox", "email"}
SEND = {"do": "send", "kind": "news", "text": "Hello"}
AT = datetime(2026, 3, 1, tzinfo=UTC)


def rule_of(*steps: Any, trigger: Any = None, **more: Any) -> Rule:
    written = {"trigger": trigger or {"event": "Order Placed"}, "steps": steps or [SEND], **more}
    return msgspec.convert(written, Rule)


def faults_of(rule: Rule) -> list[Fault]:
    with pytest.raises(InvalidRule) as raised:
        check_rule(rule, KNOWN, CALLABLE, CHANNELS)
    return raised.value.faults


def the_fault_of(*steps: Any, **more: Any) -> tuple[str, str]:
    (fault,) = faults_of(rule_of(*steps, **more))
    return fault.field, fault.detail


def test_the_shape_of_a_type_is_what_its_schema_declares() -> None:
    assert KNOWN.of("Order Placed") == {
        "order_id": Field(Kind.STRING),
        "amount": Field(Kind.NUMBER, is_nullable=True),
        "email": Field(Kind.SENSITIVE, is_nullable=True),
        "customer.tier": Field(Kind.STRING, is_nullable=True),
        "count": Field(Kind.INT, is_nullable=True),
        "tags": Field(Kind.LIST),
        "other": Field(Kind.ANY, is_nullable=True),
    }
    assert KNOWN.of("Anything") is None
    assert KNOWN.of("Never Declared") is None


def test_the_shape_of_a_built_in_type_is_its_struct() -> None:
    shape = KNOWN.of("ride.requested")
    assert shape is not None
    assert shape["pickup"] == Field(Kind.SENSITIVE)
    assert shape["customer_id"] == Field(Kind.STRING)
    assert (KNOWN.of("subscription.started") or {})["ends_at"] == Field(Kind.TIME)
    assert (KNOWN.of("cart.opened") or {})["identity_id"] == Field(Kind.STRING, is_nullable=True)


def test_every_built_in_type_has_a_shape() -> None:
    assert all(KNOWN.of(tag) is not None for tag in CATALOGUE.types)


def test_a_rule_is_compiled_from_what_was_recorded_of_it() -> None:
    rule = rule_of(
        {"do": "offer", "offer": "ten", "expires_in": "2d"},
        {**SEND, "parameters": {"code": "offer.code", "email": "trigger.data.email"}},
        {"do": "branch", "condition": "trigger.data.amount != null", "then": [{"do": "end"}]},
        trigger={"event": "Order Placed", "key": "event.data.order_id"},
        pattern={
            "is": "absence",
            "of": [{"event": "Paid", "where": "event.data.sum >= trigger.data.amount"}],
            "within": "1h",
        },
    )
    saved = RuleSaved(1, rule, check_rule(rule, KNOWN, CALLABLE, CHANNELS))
    again = msgspec.json.decode(msgspec.json.encode(saved), type=RuleSaved)
    assert again == saved
    assert set(saved.shapes) == {"Order Placed"}
    compiled = compile_rule(again.rule, again.shapes)
    assert set(compiled.expressions) == {
        "trigger.key",
        "pattern.of[0].where",
        "steps[1].parameters.code",
        "steps[1].parameters.email",
        "steps[2].condition",
    }
    assert compiled.types == {"Order Placed", "Paid"}
    assert compiled.remembers == {"trigger.data.email", "trigger.data.amount"}


def test_types_are_those_of_the_time_of_saving() -> None:
    rule = rule_of(trigger={"event": "Order Placed", "where": "event.data.amount / 2.0 == 3.5"})
    compiled = compile_rule(rule, check_rule(rule, KNOWN, CALLABLE, CHANNELS))
    event = SeenEvent(1, UUID(int=1), "Order Placed", "anna", {"amount": 7}, AT, AT)
    assert compiled.expressions["trigger.where"].evaluate(Facts(Profile("anna"), event)) is True


@pytest.mark.parametrize(
    ("step", "field", "detail"),
    [
        ({"do": "send", "kind": "news"}, "steps[0]", "either a text or a template"),
        ({**SEND, "template": "hello"}, "steps[0]", "either a text or a template"),
        ({**SEND, "channels": ["fax"]}, "steps[0].channels[0]", "no channel 'fax'"),
        ({**SEND, "channels": ["inbox", "inbox"]}, "steps[0].channels[1]", "twice"),
        ({**SEND, "parameters": {"code": "offer.code"}}, "steps[0].parameters.code", "no offer"),
        ({**SEND, "parameters": {"x": "event.id"}}, "steps[0].parameters.x", "no event here"),
        ({"do": "wait"}, "steps[0]", "one waits either"),
        ({"do": "wait", "time": "1h", "local_time": "18:00"}, "steps[0]", "one waits either"),
        ({"do": "wait", "event": {"event": "Paid"}}, "steps[0].at_most", "goes with event"),
        ({"do": "wait", "time": "1h", "at_most": "2h"}, "steps[0].at_most", "goes with event"),
        ({"do": "wait", "time": "9999999w"}, "steps[0].time", "at most 3660d"),
        (
            {"do": "offer", "offer": "ten", "expires_in": "2d", "each": "1d"},
            "steps[0].per_customer",
            "missing",
        ),
        ({"do": "record", "type": "order.paid"}, "steps[0].type", "built-in"),
        ({"do": "record", "type": "Order Placed"}, "steps[0].type", "begin itself"),
        (
            {"do": "record", "type": "Seen", "data": {"to": "trigger.data.email"}},
            "steps[0].data.to",
            "sensitive",
        ),
        ({"do": "command", "command": "a/b", "id": "'1'"}, "steps[0].command", "cannot call 'a/b'"),
        (
            {"do": "command", "command": "cards/freeze", "id": "'1'"},
            "steps[0].fields.reason",
            "it is missing",
        ),
        (
            {
                "do": "command",
                "command": "cards/freeze",
                "id": "1",
                "fields": {"reason": "'Hello'"},
            },
            "steps[0].id",
            "to be of type string, and is int",
        ),
        (
            {
                "do": "command",
                "command": "cards/freeze",
                "id": "'1'",
                "fields": {"reason": "'Hello'", "is_automatic": "false"},
            },
            "steps[0].fields.is_automatic",
            "takes reason",
        ),
        (
            {"do": "branch", "condition": "trigger.data.amount", "then": []},
            "steps[0].condition",
            "to be of type bool, and is",
        ),
    ],
)
def test_a_fault_of_a_step_is_named(step: Any, field: str, detail: str) -> None:
    found = the_fault_of(step)
    assert found[0] == field
    assert detail in found[1]


def test_an_offer_is_known_where_it_was_issued_for_sure() -> None:
    offer = {"do": "offer", "offer": "ten", "expires_in": "2d"}
    send = {**SEND, "parameters": {"code": "offer.code"}}
    both = {"do": "branch", "condition": "true", "then": [offer, send], "otherwise": [offer]}
    check_rule(rule_of(both, {**send, "id": "again"}), KNOWN, CALLABLE, CHANNELS)
    one = {"do": "branch", "condition": "true", "then": [offer]}
    assert the_fault_of(one, send)[0] == "steps[1].parameters.code"


def test_messages_of_a_rule_have_ids_of_their_own() -> None:
    assert the_fault_of(SEND, SEND) == ("steps[1].id", "another message of the rule has this id")


@pytest.mark.parametrize(
    "event_type", ["rule.saved", "decision.made", "reaction.decided", "engagement.settings_changed"]
)
def test_what_rules_do_triggers_no_rules(event_type: str) -> None:
    faults = faults_of(rule_of(trigger={"event": event_type}))
    assert faults[0].field == "trigger.event"


def test_a_built_in_type_that_there_is_not_is_named() -> None:
    assert the_fault_of(trigger={"event": "order.lost"})[0] == "trigger.event"


def test_the_key_is_asked_of_every_event_that_the_rule_looks_at() -> None:
    pattern = {"is": "sequence", "then": {"event": "order.placed"}, "within": "1h"}
    trigger = {"event": "Order Placed", "key": "event.data.order_id"}
    field, detail = the_fault_of(trigger=trigger, pattern=pattern)
    assert field == "trigger.key"
    assert "'order.placed'" in detail


def test_what_a_sum_adds_up_is_an_int() -> None:
    pattern = {"is": "sum", "of": "event.data.amount", "over": 5, "within": "1h"}
    assert the_fault_of(pattern=pattern)[0] == "pattern.of"


def test_every_fault_is_told_at_once_with_its_place() -> None:
    trigger = {"event": "Order Placed", "where": "true &&\n event.data.amont > 3.0"}
    first, second = faults_of(rule_of({**SEND, "channels": ["fax"]}, trigger=trigger))
    assert (first.field, first.line) == ("steps[0].channels[0]", None)
    assert (second.field, second.line, second.column) == ("trigger.where", 2, 12)


def test_steps_and_branches_are_bounded() -> None:
    step: Any = {"do": "end"}
    for _ in range(MAX_BRANCH_DEPTH):
        step = {"do": "branch", "condition": "true", "then": [step]}
    check_rule(rule_of(step), KNOWN, CALLABLE, CHANNELS)
    deeper = {"do": "branch", "condition": "true", "then": [step]}
    assert "deep" in the_fault_of(deeper)[1]
    wide = {"do": "branch", "condition": "true", "then": [{"do": "end"}] * (MAX_STEPS - 1)}
    check_rule(rule_of(wide), KNOWN, CALLABLE, CHANNELS)
    assert the_fault_of(wide, {"do": "end"})[1] == f"a rule has at most {MAX_STEPS} steps"
