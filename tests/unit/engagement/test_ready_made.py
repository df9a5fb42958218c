"""Each of the ready-made rules is valid; what they do is in the files beside this one."""

import msgspec
import pytest

from app.engagement import ready_made
from app.engagement.commands import CALLABLE
from app.engagement.compiled import check_rule
from app.engagement.places import steps_in
from app.engagement.rule import SendMessage
from app.engagement.rules import CHANNELS
from app.modules.templates.events import TemplateSaved
from app.modules.templates.rendering import render
from tests.unit.engagement.ready_made_world import KNOWN, rule_named


@pytest.mark.parametrize("name", ready_made.names())
def test_every_one_is_valid_and_its_templates_say_something(name: str) -> None:
    rule = rule_named(name)
    check_rule(rule, KNOWN, CALLABLE, CHANNELS)
    assert rule.description
    for at in steps_in(rule):
        if isinstance(at.step, SendMessage) and at.step.template is not None:
            written = ready_made.template(at.step.template)
            template = msgspec.json.decode(written, type=TemplateSaved)
            parameters = dict.fromkeys(at.step.parameters, "2026-03-02T12:00:00Z")
            assert render(template, None, parameters, {}).text
