"""Where in a body an unfit value stands, for whoever has to find it there.

Only for bodies that are refused anyway: they are read once more, slowly, by the standard library,
which reads what nothing else may.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

MAX_BODY_BYTES = 64 * 1024
"""Of a command, or of one event of a batch; larger ones are not worth the time."""
MAX_PATH_CHARACTERS = 200


class Number(str):
    """A number, as its digits."""

    __slots__ = ()


def field_with(body: bytes, is_unfit: Callable[[str], object]) -> str:
    """The path of the first string, key or `Number` that is unfit, such as ``data.items[3].name``.

    For a key it is the path of its object. Empty where there is no telling.
    """
    if len(body) > MAX_BODY_BYTES:
        return ""
    try:
        value = json.loads(body, parse_int=Number, parse_float=Number)
        path = next(_paths(value, "", is_unfit), "").removeprefix(".")
    except (ValueError, RecursionError):
        return ""
    return path if path.isprintable() and len(path) <= MAX_PATH_CHARACTERS else ""


def _paths(value: Any, path: str, is_unfit: Callable[[str], object]) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                if is_unfit(name):
                    yield path
                else:
                    yield from _paths(inner, f"{path}.{name}", is_unfit)
        case list():
            for index, inner in enumerate(value):
                yield from _paths(inner, f"{path}[{index}]", is_unfit)
        case str() if is_unfit(value):
            yield path
