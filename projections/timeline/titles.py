"""An entry's title: rendered when read, so that a change of wording needs no rebuild."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

MAX_VALUE_CHARACTERS = 80
ELLIPSIS = "…"

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


Values = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What titles are filled from, given an event's data."""


def render_title(template: str, data: Raw, values: Values = dict) -> str:
    """Fill the template's ``{fields}`` from an event's data; what is missing becomes ``…``."""
    if "{" not in template:
        return template
    fields = values(_fields_of(data))
    return _FIELD.sub(lambda field: _shown(fields.get(field[1])), template)


def _fields_of(data: Raw) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _shown(value: Any) -> str:
    """A scalar on one line, cut where it is long; anything else is as good as missing."""
    match value:
        case str():
            text = " ".join(value.split())
        case bool():
            text = "yes" if value else "no"
        case int() | float():
            text = str(value)
        case _:
            return ELLIPSIS
    cut = len(text) > MAX_VALUE_CHARACTERS
    return text[: MAX_VALUE_CHARACTERS - 1] + ELLIPSIS if cut else text or ELLIPSIS
