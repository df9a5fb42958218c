"""What decisions note of the values that expressions have seen.

Values are taken as the log has them, so those that are sealed stay sealed.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from app.engagement.facts import MISSING, Facts, finder

MAX_INPUTS = 50
"""Of a decision."""
MAX_INPUT_BYTES = 1_000
"""Of one value, as JSON; a longer one is noted as `TOO_LONG`."""
MAX_NAMES = 10_000
"""Of which it is kept how their values are found."""
TOO_LONG = "(too long to note)"

_SECRETS = frozenset({"offer.code"})
"""Bearer codes, which do not belong on a timeline."""


def noted(names: Collection[str], facts: Facts) -> dict[str, Any]:
    """The values by their names: at most `MAX_INPUTS`, none of them long."""
    wanted = sorted(name for name in names if name not in _SECRETS)[:MAX_INPUTS]
    found = ((name, _found(name)(facts)) for name in wanted)
    return {name: None if value is MISSING else _bounded(value) for name, value in found}


@lru_cache(MAX_NAMES)
def _found(name: str) -> Callable[[Facts], Any]:
    return finder(name)


def _bounded(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= MAX_INPUT_BYTES // 4 else _measured(value)
    return _measured(_as_json(value))


def _measured(value: Any) -> Any:
    return value if len(msgspec.json.encode(value)) <= MAX_INPUT_BYTES else TOO_LONG


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
