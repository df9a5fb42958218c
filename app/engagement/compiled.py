"""Rules with their expressions compiled."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from app.engagement.expressions import CompiledExpression
from app.engagement.rule import Rule

SchemaOf = Callable[[str], Mapping[str, Any] | None]
"""The JSON Schema of an event type's data; None where nothing is declared."""


class CompiledRule(Struct, frozen=True):
    """A rule that can be evaluated."""

    rule: Rule
    expressions: Mapping[str, CompiledExpression]
    """By their places: ``trigger.where``, ``pattern.of[0].where``, ``steps[2].then[0].text``."""
    types: frozenset[str]
    """The event types that it looks at."""
    remembers: frozenset[str]
    """The ``trigger.…`` names that an instance has to keep, for later expressions use them."""


def compile_rule(rule: Rule, schema_of: SchemaOf) -> CompiledRule:
    """Check a rule and compile it. Raises `InvalidRule`, which names every fault with its place."""
    raise NotImplementedError
