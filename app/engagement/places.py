"""Where a rule has expressions and event types, by paths into its JSON."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from app.engagement.command_fields import NO_COMMANDS, Commands, results_of
from app.engagement.expressions import Result
from app.engagement.rule import (
    Absence,
    Branch,
    CallCommand,
    Count,
    IssueOffer,
    Match,
    RecordEvent,
    Rule,
    SendMessage,
    Step,
    Sum,
    Wait,
)
from app.engagement.rule import Sequence as FollowedBy


class Place(Struct, frozen=True):
    """An expression, and what it may name and must come to."""

    field: str
    text: str
    result: Result
    event_types: Mapping[str, str]
    """Of ``event`` and ``trigger``, as far as it may name them."""
    has_profile: bool = True
    has_offer: bool = False


class StepAt(Struct, frozen=True):
    """A step, and where it is."""

    field: str
    step: Step
    depth: int
    has_offer: bool
    """Whether an offer has been issued whichever way led here."""


def steps_in(rule: Rule) -> Iterator[StepAt]:
    """Every step, those of branches after the branch itself."""
    return _walk(rule.steps, "steps", depth=0, has_offer=False)


def types_of(rule: Rule) -> Iterator[tuple[str, str]]:
    """The event types that a rule looks at, and where it names them."""
    yield "trigger.event", rule.trigger.event
    for field, match in _matches(rule):
        yield f"{field}.event", match.event
    if rule.goal is not None:
        yield "goal.event", rule.goal.event


def places_in(rule: Rule, commands: Commands = NO_COMMANDS) -> Iterator[Place]:
    """Every expression; the key once for each event type that it is evaluated on."""
    trigger = rule.trigger.event
    if rule.trigger.where is not None:
        yield Place("trigger.where", rule.trigger.where, Result.BOOL, {"event": trigger})
    yield from _places_of_key(rule)
    if isinstance(rule.pattern, Sum):
        yield Place("pattern.of", rule.pattern.of, Result.INT, {"event": trigger})
    conditions = [(field, match.event, match.where) for field, match in _matches(rule)]
    if rule.goal is not None:
        conditions.append(("goal", rule.goal.event, rule.goal.where))
    for field, event_type, where in conditions:
        if where is not None:
            types = {"event": event_type, "trigger": trigger}
            yield Place(f"{field}.where", where, Result.BOOL, types)
    for at in steps_in(rule):
        for field, text, result in _expressions_of(at.step, commands):
            types = {"trigger": trigger}
            yield Place(f"{at.field}.{field}", text, result, types, has_offer=at.has_offer)


def _places_of_key(rule: Rule) -> Iterator[Place]:
    if rule.trigger.key is not None:
        for event_type in dict.fromkeys(event_type for _, event_type in types_of(rule)):
            types = {"event": event_type}
            yield Place("trigger.key", rule.trigger.key, Result.KEY, types, has_profile=False)


def _matches(rule: Rule) -> Iterator[tuple[str, Match]]:
    match rule.pattern:
        case Absence(of=among):
            yield from ((f"pattern.of[{index}]", one) for index, one in enumerate(among))
        case FollowedBy(then=then):
            yield "pattern.then", then
        case Count() | Sum() | None:
            pass
    for at in steps_in(rule):
        if isinstance(at.step, Wait) and at.step.event is not None:
            yield f"{at.field}.event", at.step.event


def _walk(steps: Sequence[Step], field: str, *, depth: int, has_offer: bool) -> Iterator[StepAt]:
    for index, step in enumerate(steps):
        at = f"{field}[{index}]"
        yield StepAt(at, step, depth, has_offer)
        if isinstance(step, Branch):
            for name, way in (("then", step.then), ("otherwise", step.otherwise)):
                yield from _walk(way, f"{at}.{name}", depth=depth + 1, has_offer=has_offer)
        has_offer = has_offer or _issues(step)


def _issues(step: Step) -> bool:
    """Whether an offer is issued by a step, whichever way a branch goes."""
    if isinstance(step, Branch):
        return all(any(map(_issues, way)) for way in (step.then, step.otherwise))
    return isinstance(step, IssueOffer)


def _expressions_of(step: Step, commands: Commands) -> Iterator[tuple[str, str, Result]]:
    match step:
        case SendMessage(parameters=parameters):
            for name, text in parameters.items():
                yield f"parameters.{name}", text, Result.PARAMETER
        case RecordEvent(data=data):
            for name, text in data.items():
                yield f"data.{name}", text, Result.VALUE
        case CallCommand(id=thing_id, fields=fields, command=command):
            yield "id", thing_id, Result.STRING
            called = commands.get(command)
            results = results_of(called) if called else {}
            for name, text in fields.items():
                yield f"fields.{name}", text, results.get(name, Result.VALUE)
        case Branch(condition=condition):
            yield "condition", condition, Result.BOOL
        case _:
            pass
