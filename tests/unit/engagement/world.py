"""A small world: rules with expressions that need no CEL, customers, and a clock of the log."""

import json
import operator
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.engagement.compiled import CompiledRule
from app.engagement.effects import Decision
from app.engagement.evaluator import Evaluator
from app.engagement.events import RuleSaved, RuleWentLive, SettingsChanged
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import Facts
from app.engagement.rule import Branch, Rule, Settings, Step
from app.engagement.rulebook import SETTINGS, RuleBook
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
ANNA = "anna"

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


class SimpleExpression:
    """``event.data.amount``, ``event.data.amount > 5``, a JSON literal, or ``fails``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._name, self._operator, self._value = _parsed(text)
        self.names = frozenset({self._name} if self._name else ())

    def evaluate(self, facts: Facts) -> Any:
        if self.text == "fails":
            raise CannotEvaluate("it fails, as it was asked to")
        value = self._value if self._name is None else facts.value(self._name)
        if self._operator is None:
            return value
        try:
            return self._operator(value, self._value)
        except TypeError as error:
            raise CannotEvaluate(str(error)) from error


def _parsed(text: str) -> tuple[str | None, Callable[[Any, Any], Any] | None, Any]:
    parts = re.fullmatch(r"((?:event|trigger|profile|offer)\.[\w.]+)(?: (==|>|<) (.+))?", text)
    if parts is None:
        return None, None, None if text == "fails" else json.loads(text)
    name, sign, literal = parts.groups()
    return name, _OPERATORS[sign] if sign else None, json.loads(literal) if sign else None


def compile_simply(saved: RuleSaved) -> CompiledRule:
    """What `compile_rule` does, with simple expressions. A rule that says so cannot be compiled."""
    rule = saved.rule
    if rule.description == "broken":
        raise ValueError("it does not compile\nany more")
    texts = dict(_expressions(msgspec.to_builtins(rule)))
    for number, step in enumerate(rule.steps):
        texts |= dict(_of_step(step, f"steps[{number}]"))
    expressions = {place: SimpleExpression(text) for place, text in texts.items()}
    names = frozenset(name for each in expressions.values() for name in each.names)
    remembers = frozenset(name for name in names if name.startswith("trigger."))
    return CompiledRule(rule, expressions, frozenset(), remembers)


def _expressions(rule: dict[str, Any]) -> Iterator[tuple[str, str]]:
    pattern = rule["pattern"] or {}
    yield from _present("trigger.", rule["trigger"], "where", "key")
    yield from _present("goal.", rule["goal"] or {}, "where")
    match pattern.get("is"):
        case "absence":
            for number, match in enumerate(pattern["of"]):
                yield from _present(f"pattern.of[{number}].", match, "where")
        case "sum":
            yield "pattern.of", pattern["of"]
        case "sequence":
            yield from _present("pattern.then.", pattern["then"], "where")


def _present(prefix: str, thing: dict[str, Any], *names: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if thing.get(name) is not None:
            yield f"{prefix}{name}", thing[name]


def _of_step(step: Step, place: str) -> Iterator[tuple[str, str]]:
    fields = msgspec.to_builtins(step)
    for group in ("parameters", "data", "fields"):
        for name, text in fields.get(group, {}).items():
            yield f"{place}.{group}.{name}", text
    yield from _present(f"{place}.event.", fields.get("event") or {}, "where")
    yield from _present(f"{place}.", fields, "condition")
    if fields["do"] == "command":
        yield f"{place}.id", fields["id"]
    if isinstance(step, Branch):
        for way, steps in (("then", step.then), ("otherwise", step.otherwise)):
            for number, each in enumerate(steps):
                yield from _of_step(each, f"{place}.{way}[{number}]")


def rule_of(**fields: Any) -> Rule:
    """A rule that sends a message when ``tick`` comes, unless told otherwise."""
    given = {"trigger": {"event": "tick"}, "steps": [SEND], "limits": {"consent": False}, **fields}
    return msgspec.convert(given, Rule)


SEND = {"do": "send", "kind": "news", "text": "Hello"}


class World:
    """Customers, with what the engine does for them: what is due before an event comes first."""

    def __init__(self, compiler: Callable[[RuleSaved], CompiledRule] = compile_simply) -> None:
        self.book = RuleBook(compiler)
        self.evaluator = Evaluator(self.book, code_of=lambda offer_id: f"code-{offer_id}")
        self.states: dict[str, CustomerState] = {}
        self.profiles: dict[str, Profile] = {}
        self.totals = Totals()
        self.at = BEGIN
        self._position = 0
        self._versions: dict[str, int] = {}

    def live(self, name: str = "rule", **fields: Any) -> Rule:
        """A rule goes live, in a new version."""
        rule = rule_of(**fields)
        self.save(name, rule)
        self.happened(name, RuleWentLive(self._versions[name]))
        return rule

    def save(self, name: str, rule: Rule) -> int:
        self._versions[name] = self._versions.get(name, 0) + 1
        self.happened(name, RuleSaved(self._versions[name], rule))
        return self._versions[name]

    def settings(self, **fields: Any) -> None:
        settings = msgspec.convert(fields, Settings)
        self.book.apply(SETTINGS, SettingsChanged(settings), self.at)

    def happened(self, name: str, event: Any) -> list[Decision]:
        """What is due before a change of a rule comes first; what it held back, right after it."""
        decisions = self.due()
        self.book.apply(name, event, self.at)
        return decisions + self.due()

    def profile(self, customer_id: str = ANNA, **fields: Any) -> None:
        self.profiles[customer_id] = Profile(customer_id, **fields)

    def see(
        self,
        event_type: str = "tick",
        after: timedelta = SECOND,
        who: str = ANNA,
        *,
        thing_id: str = "",
        **data: Any,
    ) -> list[Decision]:
        """An event comes, so long after what was last."""
        self.at += after
        self._position += 1
        event = SeenEvent(
            position=self._position,
            event_id=UUID(int=self._position),
            type=event_type,
            customer_id=who,
            data=data,
            at=self.at,
            occurred_at=self.at,
            thing_id=thing_id,
        )
        state, profile = self.state(who), self.profile_of(who)
        decisions = self.evaluator.on_due(state, self.totals, self.at, profile)
        return decisions + self.evaluator.on_event(state, self.totals, event, profile)

    def due(self, after: timedelta = timedelta(0), who: str | None = None) -> list[Decision]:
        """Nothing comes for so long; what falls due meanwhile, of one or all customers."""
        self.at += after
        return [
            decision
            for each in ([who] if who else sorted(self.states))
            for decision in self.evaluator.on_due(
                self.state(each), self.totals, self.at, self.profile_of(each)
            )
        ]

    def state(self, who: str = ANNA) -> CustomerState:
        return self.states.setdefault(who, CustomerState())

    def profile_of(self, who: str) -> Profile:
        return self.profiles.get(who) or Profile(who)


def told(decisions: list[Decision]) -> list[str]:
    """Each as one word: what it came to, and why."""
    return [
        ":".join([one.made.outcome.value, *(held.by for held in one.made.held)])
        for one in decisions
    ]
