"""The evaluator with rules as they are saved: every place that has an expression."""

from typing import Any

import msgspec

from app.catalogue import CATALOGUE
from app.engagement.commands import CALLABLE
from app.engagement.compiled import check_rule
from app.engagement.effects import CommandEffect, MessageEffect, RecordEffect
from app.engagement.events import RuleSaved, RuleWentLive
from app.engagement.rule import Rule
from app.engagement.rulebook import compile_saved
from app.engagement.shapes import EventShapes
from app.kernel.sensitive import SensitiveFields
from tests.unit.engagement.world import HOUR, World, told

KNOWN = EventShapes(CATALOGUE, SensitiveFields())
RULE: dict[str, Any] = {
    "trigger": {
        "event": "tick",
        "where": "event.data.amount > 5 && profile.traits.tier == 'gold'",
        "key": "event.data.cart",
    },
    "pattern": {
        "is": "sequence",
        "then": {"event": "tock", "where": "event.data.ok == true && trigger.data.amount == 6"},
        "within": "1h",
    },
    "goal": {"event": "bought", "where": "event.data.cart == trigger.data.cart"},
    "limits": {"consent": False},
    "steps": [
        {"do": "offer", "offer": "gift", "expires_in": "1d"},
        {
            "do": "branch",
            "condition": "trigger.data.amount > 100",
            "then": [{"do": "end"}],
            "otherwise": [
                {
                    "do": "send",
                    "kind": "news",
                    "template": "hello",
                    "parameters": {"code": "offer.code", "cart": "trigger.data.cart"},
                }
            ],
        },
        {
            "do": "wait",
            "event": {"event": "seen", "where": "event.data.cart == trigger.data.cart"},
            "at_most": "1h",
        },
        {
            "do": "command",
            "command": "questions/open",
            "id": "trigger.data.cart",
            "fields": {"text": "'Seen in cart ' + string(trigger.data.cart)", "topic": "'carts'"},
        },
        {"do": "record", "type": "Noted", "data": {"twice": "int(trigger.data.amount) * 2"}},
    ],
}


def test_every_expression_of_a_rule_is_found_at_its_place() -> None:
    world = World(compile_saved)
    world.evaluator = type(world.evaluator)(
        world.book,
        code_of=lambda _offer_id: "GIFT",
        category_of=lambda command: CALLABLE[command].decider.category,
    )
    world.profile(traits={"tier": "gold"})
    rule = msgspec.convert(RULE, Rule)
    world.happened("rule", RuleSaved(1, rule, check_rule(rule, KNOWN, CALLABLE, {"inbox"})))
    world.happened("rule", RuleWentLive(1))

    world.see(amount=5, cart="c")
    world.see(amount=6, cart="c")
    world.see(amount=7, cart="d")
    world.see("tock", ok=True, cart="d")
    [begun] = world.see("tock", ok=True, cart="c")
    [seen] = world.see("seen", cart="c")

    assert told([begun, seen]) == ["acted", "acted"]
    sent = begun.effects[1]
    assert isinstance(sent, MessageEffect)
    assert sent.parameters == {"code": "GIFT", "cart": "c"}
    assert begun.made.inputs["trigger.data.amount"] == 6
    command, record = seen.effects
    assert isinstance(command, CommandEffect)
    assert (command.thing_id, command.fields) == ("c", {"text": "Seen in cart c", "topic": "carts"})
    assert seen.made.did[0].stream == "question-c"
    assert isinstance(record, RecordEffect)
    assert record.data == {"twice": 12}
    assert told(world.see("bought", cart="c", after=HOUR)) == ["ended:goal"]
    assert world.see("bought", cart="d") == []
