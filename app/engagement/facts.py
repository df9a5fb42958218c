"""What expressions see, by name: ``event.data.amount``, ``profile.traits.tier``, ``offer.code``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from app.engagement.shapes import Kind
from app.engagement.state import Profile, SeenEvent

_OF_EVENTS: Mapping[str, tuple[Kind, Callable[[SeenEvent], Any]]] = {
    "id": (Kind.STRING, lambda event: str(event.event_id)),
    "thing_id": (Kind.STRING, lambda event: event.thing_id),
    "type": (Kind.STRING, lambda event: event.type),
    "at": (Kind.TIME, lambda event: event.at),
    "occurred_at": (Kind.TIME, lambda event: event.occurred_at),
    "position": (Kind.INT, lambda event: event.position),
}
_OF_PROFILES: Mapping[str, Callable[[Profile], Any]] = {
    "customer_id": lambda profile: profile.customer_id,
    "is_registered": lambda profile: profile.is_registered,
}
FIXED: Mapping[str, Kind] = {
    **{f"event.{name}": kind for name, (kind, _) in _OF_EVENTS.items()},
    **{f"trigger.{name}": kind for name, (kind, _) in _OF_EVENTS.items()},
    "profile.customer_id": Kind.STRING,
    "profile.is_registered": Kind.BOOL,
    "offer.code": Kind.STRING,
    "offer.expires_at": Kind.TIME,
}
"""The names that there always are, and what they stand for."""
OPEN = ("event.data", "trigger.data", "profile.traits")
"""What has fields below it that depend on event types and customers."""

MISSING: Final = object()
"""Stands for a value that is not there; a null is."""


class Facts(Struct, frozen=True):
    """The event at hand, what an instance remembers, and the profile."""

    profile: Profile
    event: SeenEvent | None = None
    inputs: Mapping[str, Any] = {}
    """By full names: ``trigger.data.cart_id``, ``offer.code``."""

    def value(self, name: str) -> Any:
        """The value; None when there is none."""
        found = self.find(name)
        return None if found is MISSING else found

    def find(self, name: str) -> Any:
        """The value; `MISSING` when there is none."""
        return finder(name)(self)


def finder(name: str) -> Callable[[Facts], Any]:
    """What finds the value of a name, quickly: see `Facts.find`."""
    root, _, rest = name.partition(".")
    if root == "event":
        of_event = _finder_in_event(rest)
        return lambda facts: MISSING if facts.event is None else of_event(facts.event)
    if root == "profile" and rest in _OF_PROFILES:
        of_profile = _OF_PROFILES[rest]
        return lambda facts: of_profile(facts.profile)
    if root == "profile":
        trait = rest.partition(".")[2]
        return lambda facts: _below(facts.profile.traits, (trait,) if trait else ())
    return lambda facts: facts.inputs.get(name, MISSING)


def remembered(names: Iterable[str], trigger: SeenEvent) -> dict[str, Any]:
    """What an instance keeps of its trigger: the values of these ``trigger.…`` names, for JSON."""
    found = {
        name: _finder_in_event(name.removeprefix("trigger."))(trigger) for name in sorted(names)
    }
    return {
        name: value.isoformat() if FIXED.get(name) is Kind.TIME else value
        for name, value in found.items()
        if value is not MISSING
    }


def _finder_in_event(rest: str) -> Callable[[SeenEvent], Any]:
    if rest in _OF_EVENTS:
        return _OF_EVENTS[rest][1]
    path = tuple(rest.split(".")[1:])
    if len(path) == 1:
        (name,) = path
        return lambda event: event.data.get(name, MISSING)
    return lambda event: _below(event.data, path)


def _below(value: Any, path: Iterable[str]) -> Any:
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value
