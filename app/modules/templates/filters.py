"""The filters that templates may use: Liquid's, but for those that are dear or unsafe."""

import re
from datetime import UTC, datetime, tzinfo

from liquid.exceptions import FilterArgumentError

from app.kernel.errors import InvalidInput
from app.kernel.time_zones import zone_named

NUMERIC_FILTERS = frozenset(
    (
        *("abs", "at_least", "at_most", "ceil", "divided_by", "floor"),
        *("minus", "modulo", "plus", "round", "times"),
    )
)
REPEATING_FILTERS = frozenset(("join", "replace"))
"""Those that may make as much as what they take times an argument."""
FILTERS = (
    NUMERIC_FILTERS
    | REPEATING_FILTERS
    | frozenset(
        (
            *("append", "prepend", "capitalize", "downcase", "upcase", "remove", "replace_first"),
            *("strip", "lstrip", "rstrip", "strip_newlines", "newline_to_br", "slice", "split"),
            *("truncate", "truncatewords", "escape", "url_encode", "date", "default", "size"),
            *("first", "last", "map", "where", "sort", "reverse", "compact", "concat"),
        )
    )
)
MAX_FORMAT_CHARACTERS = 100

_FORMAT = re.compile(r"(?:[^%]|%-?[A-Za-z%])*")


def date(value: object, pattern: object, zone: object = "UTC") -> str:
    """A time, in ISO 8601, in a zone by the clocks of its place; `pattern` is strftime's."""
    if not isinstance(value, str) or not isinstance(pattern, str) or not isinstance(zone, str):
        raise FilterArgumentError("date takes a time, a pattern and a zone", token=None)
    if len(pattern) > MAX_FORMAT_CHARACTERS or not _FORMAT.fullmatch(pattern):
        raise FilterArgumentError("this is no pattern of a date", token=None)
    at = datetime.fromisoformat(value)
    known = at if at.tzinfo else at.replace(tzinfo=UTC)
    return known.astimezone(_zone(zone)).strftime(pattern)


def _zone(name: str) -> tzinfo:
    """What is wrong with a name is not told with the name, which may be a customer's secret."""
    try:
        return zone_named(name, field="zone")
    except InvalidInput:
        raise FilterArgumentError("there is no such time zone", token=None) from None
