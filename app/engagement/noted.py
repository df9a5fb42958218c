"""What is noted of the values that expressions see: in instances, and in decisions.

Values are taken as the log has them, so those that are sealed stay sealed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from app.engagement.facts import Facts

MAX_INPUTS = 50
"""Of a decision."""
MAX_INPUT_BYTES = 1_000
"""Of one value, as JSON; a longer one is noted as `TOO_LONG`."""
TOO_LONG = "(too long to note)"

_SECRETS = frozenset({"offer.code"})
"""Bearer codes, which do not belong on a timeline."""


def noted(names: Iterable[str], facts: Facts) -> dict[str, Any]:
    """The values by their names: at most `MAX_INPUTS`, none of them long."""
    wanted = sorted(set(names) - _SECRETS)[:MAX_INPUTS]
    return {name: _bounded(raw_value(name, facts)) for name in wanted}


def remembered(names: Iterable[str], facts: Facts) -> dict[str, Any]:
    """What an instance keeps of the event that it begins with: ``trigger.…``, as JSON has it."""
    return {name: _as_json(raw_value(f"event.{name[8:]}", facts)) for name in names}


def raw_value(name: str, facts: Facts) -> Any:
    """A value by its full name, such as ``event.data.amount``; None when there is none."""
    root, _, rest = name.partition(".")
    if root == "event":
        return _of_event(rest, facts)
    if root == "profile":
        return _within(facts.profile, rest)
    return facts.inputs.get(name)


def _of_event(rest: str, facts: Facts) -> Any:
    event = facts.event
    if event is None:
        return None
    return str(event.event_id) if rest == "id" else _within(event, rest)


def _within(thing: Any, path: str) -> Any:
    """What stands in a struct's attribute, and below in mappings."""
    first, *keys = path.split(".")
    value = getattr(thing, first, None)
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


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
