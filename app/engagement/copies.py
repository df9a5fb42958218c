"""Under which names rules copy what stands in customers' events.

What an expression names ends up in inputs of decisions, by its path; in parameters of messages and
data of recorded events, by whatever name the rule gives it; and in keys of instances.
"""

from typing import NamedTuple

from app.engagement.cel_check import uses_sensitive
from app.engagement.expressions import Scope
from app.engagement.places import Place, places_in, types_of
from app.engagement.rulebook import RuleBook
from app.kernel.sensitive import SensitiveFields

_NAMED_BY_RULES = (".parameters", ".data")


class _Copied(NamedTuple):
    names: frozenset[str]
    in_key: bool


class CopiedNames:
    """What each rule of a book copies of sensitive fields, in any of its versions."""

    def __init__(self, book: RuleBook, fields: SensitiveFields) -> None:
        """Take the rules, and which fields are sensitive by now."""
        self._book = book
        self._fields = fields
        self._known: dict[str, _Copied] = {}

    def of(self, rule: str) -> frozenset[str]:
        """The names that the types declare which it looks at, and those that it gives copies."""
        return self._copied(rule).names

    def are_in_key(self, rule: str) -> bool:
        """Whether keys of its instances may hold such a value."""
        return self._copied(rule).in_key

    def _copied(self, rule: str) -> _Copied:
        if rule not in self._known:
            copying = self._copying(rule)
            given = (field.rpartition(".") for field in copying)
            names = {name for field, _, name in given if field.endswith(_NAMED_BY_RULES)}
            self._known[rule] = _Copied(self._declared(rule) | names, "trigger.key" in copying)
        return self._known[rule]

    def _copying(self, rule: str) -> set[str]:
        """Where its expressions do more with what is sensitive than compare it."""
        return {
            place.field
            for version in self._book.rules(rule)
            for place in places_in(version)
            if uses_sensitive(place.text, self._scope(place))
        }

    def _scope(self, place: Place) -> Scope:
        names = {root: self._fields.of(of) for root, of in place.event_types.items()}
        return Scope(dict.fromkeys(names), {**names, "profile": self._fields.everywhere})

    def _declared(self, rule: str) -> frozenset[str]:
        types = {of for version in self._book.rules(rule) for _, of in types_of(version)}
        return frozenset[str]().union(*map(self._fields.declared, types))
