"""Which fields are sensitive: marked by a type of ours, or known by name in what others send.

Names are compared without case and without ``_``, ``-`` and spaces: `first_name` is `firstName`.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, TypeVar, get_type_hints

from msgspec import Meta
from msgspec.inspect import Metadata, type_info

from app.kernel.cipher import SealedValue

DEFAULT_SENSITIVE_FIELDS = (
    "email phone name first_name last_name address ip birth_date iban card".split()  # noqa: SIM905 - as it is set
)
MAX_NAME_SETS = 1_000
MAX_MARKED_TYPES = 1_000
MAX_USUAL_NAMES = 5_000
MAX_USUAL_CHARACTERS = 50
BEFORE_NAMES = 2
"""Parts of a path."""

_WHOLE, _BY_NAME = {"sensitive": "whole"}, {"sensitive": "by name"}
_IGNORED = b"_- "
_BACKSLASH = ord("\\")  # `in` finds a byte fastest by its number
_TO_LOWER = bytes(range(256)).lower()
_WITHOUT_IGNORED = dict.fromkeys(_IGNORED)

T = TypeVar("T")

Sensitive = Annotated[T | SealedValue, Meta(extra=_WHOLE)]
"""``Sensitive[str]``: a field of a command or an event that is sealed before a decider sees it."""
SensitiveByName = Annotated[T, Meta(extra=_BY_NAME)]
"""A field of JSON in which values of sensitive names are sealed, at any depth."""


class Names:
    """A set of sensitive names."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names, in any spelling."""
        self._names = frozenset(filter(None, map(_plain, names)))
        self._encoded = frozenset(map(str.encode, self._names))
        self._is_ascii = all(map(str.isascii, self._names))

    def __contains__(self, name: str) -> bool:
        """Whether a field of this name is sensitive."""
        if len(name) > MAX_USUAL_CHARACTERS:
            return _plain(name) in self._names
        return _usual(name) in self._names

    def may_occur_in(self, json: bytes) -> bool:
        """Whether JSON is worth decoding, for one of the names might be in it.

        A few passes over the bytes. Text that has a backslash may spell a name in another way.
        """
        if _BACKSLASH in json or not (self._is_ascii or json.isascii()):
            return bool(self._names)
        strings = json.translate(_TO_LOWER, _IGNORED).split(b'"')[1::2]
        return not self._encoded.isdisjoint(strings)


class NamesInPaths(Names):
    """The same for copies, which may stand under a path: ``event.data.email`` has ``email``.

    What a path begins with, such as ``event.data``, says where it leads, and is no name.
    """

    def __contains__(self, name: str) -> bool:
        """Whether a field of this name, or at this path, is sensitive."""
        parts = name.split(".")[BEFORE_NAMES:] or [name]
        return any(map(super().__contains__, parts))

    def may_occur_in(self, json: bytes) -> bool:
        """See `Names.may_occur_in`."""
        return super().may_occur_in(json.replace(b".", b'"."'))


class SensitiveFields:
    """The names that are sensitive everywhere, and those that event types declare beside them."""

    def __init__(
        self,
        everywhere: Iterable[str] = DEFAULT_SENSITIVE_FIELDS,
        declared: Callable[[str], frozenset[str]] = lambda _event_type: frozenset(),
    ) -> None:
        """`declared` is asked for each event, and must be quick."""
        self._everywhere = frozenset(everywhere)
        self.declared = declared
        self.everywhere = _names(self._everywhere)
        self.listed = tuple(sorted(self._everywhere))
        """Those that are sensitive everywhere, as they were given."""

    def of(self, event_type: str) -> Names:
        """The sensitive names of an event type."""
        declared = self.declared(event_type)
        return _names(self._everywhere | declared) if declared else self.everywhere

    def of_copies(self, event_type: str, copied: frozenset[str]) -> Names:
        """Those and, of an event that was made of others, the names under which it copies them."""
        return _names_in_paths(self._everywhere | self.declared(event_type) | copied)


@lru_cache(MAX_MARKED_TYPES)
def marked_fields(struct: type) -> tuple[tuple[str, bool], ...]:
    """The sensitive fields of a command or an event; with each, whether it is sealed whole."""
    marks = {
        name: _mark(hint) for name, hint in get_type_hints(struct, include_extras=True).items()
    }
    return tuple((name, mark == "whole") for name, mark in marks.items() if mark)


def _mark(hint: object) -> str | None:
    try:
        info = type_info(hint)
    except TypeError:  # a type that msgspec does not know, as of a class variable
        return None
    extra = info.extra if isinstance(info, Metadata) else None
    return (extra or {}).get("sensitive")


def _plain(name: str) -> str:
    return name.translate(_WITHOUT_IGNORED).lower()


_usual = lru_cache(MAX_USUAL_NAMES)(_plain)
"""Of the names that come again and again."""


@lru_cache(MAX_NAME_SETS)
def _names_in_paths(names: frozenset[str]) -> Names:
    return NamesInPaths(names)


@lru_cache(MAX_NAME_SETS)
def _names(names: frozenset[str]) -> Names:
    return Names(names)
