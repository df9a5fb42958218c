"""Values as CEL takes them: of the kinds that are declared, with digests for what is sealed."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from app.engagement.cel_names import Read
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import MISSING
from app.engagement.shapes import Kind
from app.kernel.cipher import digest_of

CHARACTERS_A_STEP = 16
MAX_DEPTH = 64

AS_THEY_ARE: Mapping[Kind, frozenset[type]] = {
    Kind.BOOL: frozenset({bool}),
    Kind.INT: frozenset(),  # some are too large
    Kind.NUMBER: frozenset({float}),
    Kind.STRING: frozenset({str}),
    Kind.TIME: frozenset(),
    Kind.LIST: frozenset(),
    Kind.MAP: frozenset(),
    Kind.ANY: frozenset({bool, float, str}),
    Kind.SENSITIVE: frozenset({str}),
}
"""The types of values that CEL takes without conversion, by the kinds that are declared."""

_WITH_INTS = frozenset({Kind.INT, Kind.ANY})
_PYTHON = {Kind.BOOL: bool, Kind.STRING: str, Kind.LIST: list, Kind.MAP: dict}
_MAX_INT = 2**63 - 1


class Sizes:
    """How much there is to look at."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.total = 0
        """Values, and every 16 characters."""
        self.longest = 0
        """Of the lists and maps, the elements of the longest."""


def bindable(read: Read, value: Any, sizes: Sizes) -> Any:
    """A value for a name. Raises `CannotEvaluate` when it is of another kind than declared."""
    if value is None or value is MISSING:
        if read.field.is_nullable:
            return None
        raise CannotEvaluate(f"there is no {read.name}")
    kind = read.field.kind
    if value.__class__ is int and kind in _WITH_INTS and abs(value) <= _MAX_INT:
        sizes.total += 1
        return value
    if kind in {Kind.ANY, Kind.SENSITIVE}:
        return plain(value, sizes)
    if isinstance(value, _PYTHON.get(kind, ())):
        return plain(value, sizes)
    converted = _converted(kind, value)
    if converted is None:
        raise CannotEvaluate(f"{read.name} is no {kind.value}")
    sizes.total += 1
    return converted


def _converted(kind: Kind, value: Any) -> Any:
    """An int, a number or a time; None when it is none."""
    if kind is Kind.TIME:
        return _time(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    if kind is Kind.INT:
        return int(value) if int(value) == value and abs(value) <= _MAX_INT else None
    try:
        return float(value) if kind is Kind.NUMBER else None
    except OverflowError:
        return None


def _time(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        try:
            value = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            return None
    return value if value.tzinfo is not None else None


def plain(value: Any, sizes: Sizes, depth: int = 0) -> Any:
    """A value of JSON, counted; digests stand for what is sealed. Raises `CannotEvaluate`."""
    sizes.total += 1
    if isinstance(value, str):
        sizes.total += len(value) // CHARACTERS_A_STEP
        return storable(value)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, sizes, depth)
    if isinstance(value, float) and not isfinite(value):
        raise CannotEvaluate("a number is not finite")
    if isinstance(value, int) and abs(value) > _MAX_INT:
        raise CannotEvaluate("an int has more than 64 bits")
    if value is None or isinstance(value, int | float | datetime):
        return value
    raise CannotEvaluate("a value is of a kind that JSON does not know")


def storable(text: str) -> str:
    """The text, if the log can hold it. Raises `CannotEvaluate`."""
    if "\0" in text:
        raise CannotEvaluate("a text has the character NUL")
    return text


def _container(value: Any, sizes: Sizes, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise CannotEvaluate("it is too deep")
    sealed = digest_of(value)
    if sealed is not None:
        return sealed
    sizes.longest = max(sizes.longest, len(value))
    if not isinstance(value, Mapping):
        return [plain(one, sizes, depth + 1) for one in value]
    if not all(isinstance(name, str) for name in value):
        raise CannotEvaluate("the names of a map are strings")
    for name in value:
        storable(name)
    sizes.total += sum(1 + len(name) // CHARACTERS_A_STEP for name in value)
    return {name: plain(one, sizes, depth + 1) for name, one in value.items()}
