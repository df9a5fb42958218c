"""Expressions, as a port: checked when a rule is saved, bounded when they are evaluated."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

from app.engagement.facts import Facts
from app.engagement.shapes import Shape
from app.kernel.errors import TidingsError
from app.kernel.sensitive import Names


class CannotEvaluate(TidingsError):
    """An expression has no value for these facts."""


class InvalidExpression(TidingsError):
    """An expression is not valid."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """Say what is wrong, and where: line and column from 1."""
        super().__init__(message)
        self.line, self.column = line, column


class Result(Enum):
    """What an expression has to come to."""

    BOOL = "bool"
    INT = "int"
    NUMBER = "number"
    STRING = "string"
    KEY = "string or int"
    VALUE = "value"
    """Anything that JSON can say, or a time."""
    PARAMETER = "parameter"
    """The same, and a sensitive field: it stays sealed."""


class Scope(Struct, frozen=True):
    """What an expression may name."""

    shapes: Mapping[str, Shape | None]
    """Of ``event`` and ``trigger``, as far as it may name them; None: nothing is declared."""
    sensitive: Mapping[str, Names]
    """By ``event``, ``trigger`` and ``profile``: names of sensitive fields, at any depth."""
    has_profile: bool = True
    has_offer: bool = False

    @property
    def roots(self) -> tuple[str, ...]:
        """What names begin with."""
        more = (("profile", self.has_profile), ("offer", self.has_offer))
        return (*self.shapes, *(name for name, is_there in more if is_there))


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
        """Its value: bool, int, float, str, list, dict, None or a time. Raises `CannotEvaluate`.

        A sensitive field alone is its sealed value.
        """
        ...
