"""A world in which one of the ready-made rules is live, and what its decisions come to."""

from datetime import timedelta
from typing import Any

import msgspec

from app.catalogue import CATALOGUE
from app.engagement import ready_made
from app.engagement.commands import CALLABLE
from app.engagement.compiled import check_rule
from app.engagement.effects import (
    CommandEffect,
    Decision,
    MessageEffect,
    OfferEffect,
)
from app.engagement.events import RuleSaved, RuleWentLive
from app.engagement.rule import Rule
from app.engagement.rulebook import compile_saved
from app.engagement.rules import CHANNELS
from app.engagement.shapes import EventShapes
from app.kernel.sensitive import SensitiveFields
from tests.unit.engagement.world import World

KNOWN = EventShapes(CATALOGUE, SensitiveFields())
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BY_MAIL = ("email", "inbox")


def rule_named(name: str) -> Rule:
    return msgspec.json.decode(ready_made.rule(name), type=Rule)


def world_with(name: str, *agreed: tuple[str, str], **traits: Any) -> World:
    """The rule is live, and Anna has agreed to these channels and topics."""
    world = World(compile_saved)
    rule = rule_named(name)
    shapes = check_rule(rule, KNOWN, CALLABLE, CHANNELS)
    world.happened(name, RuleSaved(1, rule, shapes))
    world.happened(name, RuleWentLive(1))
    world.profile(consents=dict.fromkeys(agreed, True), traits=traits)
    return world


def sent(decision: Decision) -> list[MessageEffect]:
    return [each for each in decision.effects if isinstance(each, MessageEffect)]


def called(decision: Decision) -> list[tuple[str, str]]:
    effects = [each for each in decision.effects if isinstance(each, CommandEffect)]
    return [(each.command, each.thing_id) for each in effects]


def offered(decision: Decision) -> list[str]:
    return [each.offer for each in decision.effects if isinstance(each, OfferEffect)]
