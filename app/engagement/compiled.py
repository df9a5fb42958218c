"""Rules with their expressions compiled."""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from app.engagement.cel_check import check
from app.engagement.cel_names import declared_path
from app.engagement.cel_program import CelExpression
from app.engagement.command_fields import Commands
from app.engagement.expressions import CompiledExpression, InvalidExpression, Scope
from app.engagement.places import Place, places_in, steps_in, types_of
from app.engagement.rule import RecordEvent, Rule
from app.engagement.rule_faults import faults_of
from app.engagement.shapes import EventShapes, Field, Shapes
from app.kernel.errors import TidingsError
from app.kernel.sensitive import Names

MAX_FAULTS = 50


class Fault(Struct, frozen=True, omit_defaults=True):
    """What is wrong with a rule, and where."""

    field: str
    """As in the rule's JSON: ``steps[2].then[0].condition``."""
    detail: str
    line: int | None = None
    column: int | None = None
    """In an expression, from 1."""

    def __str__(self) -> str:
        """In words."""
        place = "" if self.line is None else f" (line {self.line}, column {self.column})"
        return f"{self.field}{place}: {self.detail}"


class InvalidRule(TidingsError):
    """The rule is not valid."""

    def __init__(self, faults: list[Fault]) -> None:
        """Take every fault that was found."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class CompiledRule(Struct, frozen=True):
    """A rule that can be evaluated."""

    rule: Rule
    expressions: Mapping[str, CompiledExpression]
    """By their places: ``trigger.where``, ``pattern.of[0].where``, ``steps[2].then[0].id``."""
    types: frozenset[str]
    """The event types that it looks at."""
    remembers: frozenset[str]
    """The ``trigger.…`` names that an instance has to keep, for later expressions use them."""


def check_rule(
    rule: Rule, known: EventShapes, commands: Commands, channels: Collection[str]
) -> Shapes:
    """The shapes that the rule rests on. Raises `InvalidRule`, which names every fault."""
    found = (*faults_of(rule, commands, channels), *_faults_of_types(rule, known))
    faults = [Fault(field, detail) for field, detail in found]
    shapes: dict[str, dict[str, Field]] = {}
    for place in places_in(rule, commands):
        scope = _scope_of(place, known)
        try:
            name = place.field.rpartition(".")[2]
            names = check(place.text, scope, place.result, name=name)
        except InvalidExpression as error:
            detail = f"{error}{_on_other_type(place, rule)}"
            faults.append(Fault(place.field, detail, error.line, error.column))
        else:
            _keep(shapes, place, scope, names)
    if faults:
        raise InvalidRule(faults[:MAX_FAULTS])
    return shapes


def _faults_of_types(rule: Rule, known: EventShapes) -> Iterator[tuple[str, str]]:
    for field, event_type in types_of(rule):
        if known.is_unknown(event_type):
            yield field, f"there is no built-in event type {event_type!r}"
    for at in steps_in(rule):
        if isinstance(at.step, RecordEvent) and known.is_built_in(at.step.type):
            yield f"{at.field}.type", f"{at.step.type!r} begins as a built-in type does"


def compile_rule(rule: Rule, shapes: Shapes) -> CompiledRule:
    """A rule that was checked, with the shapes that came of it."""
    expressions: dict[str, CompiledExpression] = {}
    for place in places_in(rule):
        if place.field not in expressions:  # a key is checked for several event types
            known = {root: shapes.get(of) for root, of in place.event_types.items()}
            expressions[place.field] = CelExpression(place.text, known, place.result)
    remembers = {
        name
        for expression in expressions.values()
        for name in expression.names
        if name.startswith("trigger.")
    }
    return CompiledRule(
        rule=rule,
        expressions=expressions,
        types=frozenset(event_type for _, event_type in types_of(rule)),
        remembers=frozenset(remembers),
    )


def _on_other_type(place: Place, rule: Rule) -> str:
    """Of a key: on which events it could not be evaluated, when that is not the trigger."""
    event_type = place.event_types.get("event")
    is_other = place.field == "trigger.key" and event_type != rule.trigger.event
    return f" (the key is asked of events of type {event_type!r}, too)" if is_other else ""


def _scope_of(place: Place, known: EventShapes) -> Scope:
    names: dict[str, Names] = {
        root: known.sensitive_names(event_type) for root, event_type in place.event_types.items()
    }
    return Scope(
        shapes={root: known.of(event_type) for root, event_type in place.event_types.items()},
        sensitive=names | {"profile": known.sensitive_traits},
        has_profile=place.has_profile,
        has_offer=place.has_offer,
    )


def _keep(
    shapes: dict[str, dict[str, Field]], place: Place, scope: Scope, names: frozenset[str]
) -> None:
    """Keep the fields that are named; of a type without a declaration nothing is."""
    for root, event_type in place.event_types.items():
        shape = scope.shapes[root]
        if shape is None:
            continue
        kept = shapes.setdefault(event_type, {})
        for name in names:
            base, _, fields = name.partition(".data.")
            path = declared_path(fields.split("."), shape) if base == root else None
            if path is not None:
                kept[path] = shape[path]
