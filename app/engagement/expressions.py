"""Expressions: CEL behind a port of ours, checked when a rule is saved, bounded when evaluated."""

from typing import Any, Protocol

from app.engagement.facts import Facts
from app.kernel.errors import TidingsError


class CannotEvaluate(TidingsError):
    """An expression has no value for these facts."""


class CompiledExpression(Protocol):
    """An expression that was checked."""

    @property
    def text(self) -> str:
        """As it was written."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """What it names, in full: ``event.data.amount``."""
        ...

    def evaluate(self, facts: Facts) -> Any:
        """Its value: bool, int, float, str, list, dict, None or a time. Raises `CannotEvaluate`."""
        ...
