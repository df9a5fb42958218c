"""The rules as the log has them so far: folded from what happened to each.

A change takes effect at its place in the log: whoever folds does what fell due before it first.
Instances are not touched by a change; each is brought up to date when it is looked at next, by the
changes that it has not seen (`Instance.changes_seen`). Versions are kept encoded and compiled when
they are needed first, so that a rule of which nothing happens costs little: 600 bytes a version of
a small rule, and 15 kB more when it is compiled. What drains stays compiled, for who runs on it is
not known here; there are at most `MAX_VERSIONS` of a rule.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, field

from app.engagement.compiled import CompiledRule, compile_rule
from app.engagement.events import (
    OnChange,
    RulePaused,
    RuleResumed,
    RuleRetired,
    RuleSaved,
    RuleWentLive,
    SettingsChanged,
)
from app.engagement.program import Program, lay_out
from app.engagement.rule import (
    Absence,
    Branch,
    Priority,
    Rule,
    Settings,
    Step,
    Wait,
)
from app.engagement.rule import (
    Sequence as SequencePattern,
)
from app.engagement.shares import CANARY, is_in_share
from app.kernel.errors import NotFound, first_line
from app.kernel.event import Event

SETTINGS = ""
"""The name under which `RuleBook.apply` takes what happened to the settings."""

_RANKS = {Priority.CRITICAL: 0, Priority.NORMAL: 1, Priority.LOW: 2}


def compile_saved(saved: RuleSaved) -> CompiledRule:
    """A version as it was saved, compiled."""
    return compile_rule(saved.rule, saved.shapes)


class Version(Struct, frozen=True):
    """A version of a rule that can be evaluated."""

    name: str
    number: int
    rule: Rule
    compiled: CompiledRule
    program: Program
    notes: frozenset[str]
    """The ``trigger.…`` names that an instance keeps: for later expressions, and to explain."""
    has_key: bool


class Change(Struct, frozen=True):
    """What happened to a rule that instances have to take in."""

    at: datetime
    event: RuleWentLive | RulePaused | RuleResumed | RuleRetired


class _Looks(Struct, frozen=True):
    """What is known of a version without compiling it."""

    trigger: str
    types: frozenset[str]
    rank: int


class _Entry(Struct):
    """A rule."""

    saved: dict[int, bytes] = field(default_factory=dict)
    looks: dict[int, _Looks] = field(default_factory=dict)
    """Of the versions that instances may run on."""
    changes: list[Change] = field(default_factory=list)
    live: int | None = None
    canary: int | None = None
    share: int = 0
    is_paused: bool = False
    is_retired: bool = False


class RuleBook:
    """Every rule, in the versions that instances may run on."""

    def __init__(self, compiler: Callable[[RuleSaved], CompiledRule] = compile_saved) -> None:
        """Take what compiles a rule; a version with which it fails is in `failures`."""
        self.settings = Settings()
        self.failures: dict[tuple[str, int], str] = {}
        """By rule and version: why it could not be compiled, of those that were tried."""
        self._compiler = compiler
        self._entries: dict[str, _Entry] = {}
        self._versions: dict[tuple[str, int], Version] = {}
        self._looking: Counter[str] = Counter()
        self._starting: dict[str, dict[str, int]] = {}
        self._in_order: dict[str, tuple[str, ...]] = {}

    def apply(self, name: str, event: Event, at: datetime) -> None:
        """Take in what was recorded of a rule, or of the settings (`SETTINGS`), and when."""
        if isinstance(event, SettingsChanged):
            self.settings = event.settings
            return
        entry = self._entries.setdefault(name, _Entry())
        if isinstance(event, RuleSaved):
            entry.saved[event.rule_version] = msgspec.msgpack.encode(event)
        elif isinstance(event, RuleWentLive | RulePaused | RuleResumed | RuleRetired):
            self._unlist(name, entry)
            entry.changes.append(Change(at, event))
            self._change(name, entry, event)
            self._list(name, entry)

    def types(self) -> frozenset[str]:
        """The event types that any rule looks at."""
        return frozenset(self._looking)

    def looks_at(self, event_type: str) -> bool:
        """Whether any rule, in any version that instances may run on, looks at the type."""
        return event_type in self._looking

    def starting(self, event_type: str) -> tuple[str, ...]:
        """The rules that may begin with the type: by priority, then by name."""
        if (names := self._in_order.get(event_type)) is None:
            ranks = self._starting.get(event_type, {})
            names = tuple(sorted(ranks, key=lambda name: (ranks[name], name)))
            if names:
                self._in_order[event_type] = names
        return names

    def rank(self, name: str) -> int:
        """A rule's priority as a number; the most urgent has the least."""
        entry = self._entries.get(name)
        if entry is None:
            return len(_RANKS)
        return min((looks.rank for looks in self._beginning(entry)), default=len(_RANKS))

    def version_for(self, name: str, customer_id: str) -> Version | None:
        """The version by which the rule begins for a customer; None when it does not."""
        entry = self._entries.get(name)
        if entry is None or entry.is_paused or entry.is_retired:
            return None
        number = entry.live
        if entry.canary is not None and is_in_share(CANARY, name, customer_id, entry.share):
            number = entry.canary
        return self.version(name, number) if number is not None else None

    def version(self, name: str, number: int) -> Version | None:
        """A version; None when it cannot be evaluated: see `failures`."""
        found = self._versions.get((name, number))
        if found is None and (name, number) not in self.failures:
            return self._compile(name, number)
        return found

    def rules(self, name: str) -> Iterator[Rule]:
        """A rule in each of its versions, as they were saved."""
        entry = self._entries.get(name)
        for number in entry.saved if entry is not None else ():
            yield self._saved(name, number).rule

    def is_paused(self, name: str) -> bool:
        """Whether the rule is paused."""
        entry = self._entries.get(name)
        return entry is not None and entry.is_paused

    def looks(self, name: str, number: int, event_type: str) -> bool:
        """Whether a version looks at the type."""
        entry = self._entries.get(name)
        looks = entry.looks.get(number) if entry is not None else None
        return looks is not None and event_type in looks.types

    def changes(self, name: str) -> Sequence[Change]:
        """What happened to a rule, in order."""
        entry = self._entries.get(name)
        return entry.changes if entry is not None else ()

    def states(self) -> Mapping[str, str]:
        """Of each rule, by its name: ``draft``, ``live``, ``paused`` or ``retired``."""
        return {name: _state(entry) for name, entry in self._entries.items()}

    def _compile(self, name: str, number: int) -> Version | None:
        try:
            saved = self._saved(name, number)
            compiled = self._compiler(saved)
        except Exception as error:  # whatever is wrong with a rule is wrong with that rule alone
            self.failures[name, number] = first_line(error)
            return None
        rule = saved.rule
        version = Version(
            name=name,
            number=number,
            rule=rule,
            compiled=compiled,
            program=lay_out(rule.steps),
            notes=_notes(rule, compiled),
            has_key=rule.trigger.key is not None,
        )
        self._versions[name, number] = version
        return version

    def _saved(self, name: str, number: int) -> RuleSaved:
        """A version as it was saved. Raises `NotFound`."""
        entry = self._entries.get(name)
        if entry is None or number not in entry.saved:
            raise NotFound(f"there is no version {number} of rule {name!r}")
        return msgspec.msgpack.decode(entry.saved[number], type=RuleSaved)

    def _change(
        self,
        name: str,
        entry: _Entry,
        event: RuleWentLive | RulePaused | RuleResumed | RuleRetired,
    ) -> None:
        match event:
            case RuleWentLive():
                self._go_live(name, entry, event)
            case RulePaused():
                entry.is_paused = True
            case RuleResumed():
                entry.is_paused = False
            case RuleRetired():
                entry.is_retired = True
                self._forget(name, entry)

    def _go_live(self, name: str, entry: _Entry, event: RuleWentLive) -> None:
        number = event.rule_version
        if event.share < 100:
            entry.canary, entry.share = number, event.share
        else:
            entry.live, entry.canary, entry.share = number, None, 0
        if event.on_change is not OnChange.DRAIN and event.share == 100:
            entry.looks.clear()
            self._let_go(name, entry)
        if number not in entry.looks and number in entry.saved:
            entry.looks[number] = _looks(self._saved(name, number).rule)

    def _forget(self, name: str, entry: _Entry) -> None:
        entry.live = entry.canary = None
        entry.looks.clear()
        self._let_go(name, entry)
        for number in entry.saved:
            self.failures.pop((name, number), None)

    def _let_go(self, name: str, entry: _Entry) -> None:
        """Of the compiled versions. One that an instance left behind asks for is compiled again."""
        for number in entry.saved:
            self._versions.pop((name, number), None)

    def _unlist(self, name: str, entry: _Entry) -> None:
        for event_type in _types(entry):
            self._looking[event_type] -= 1
            if not self._looking[event_type]:
                del self._looking[event_type]
        for looks in self._beginning(entry):
            self._starting.get(looks.trigger, {}).pop(name, None)
            self._in_order.pop(looks.trigger, None)

    def _list(self, name: str, entry: _Entry) -> None:
        self._looking.update(_types(entry))
        for looks in self._beginning(entry):
            self._starting.setdefault(looks.trigger, {})[name] = self.rank(name)
            self._in_order.pop(looks.trigger, None)

    def _beginning(self, entry: _Entry) -> Iterator[_Looks]:
        """Of the versions by which the rule begins for customers."""
        if not entry.is_paused:
            for number in {entry.live, entry.canary}:
                if number is not None and (looks := entry.looks.get(number)) is not None:
                    yield looks


def _state(entry: _Entry) -> str:
    if entry.is_retired:
        return "retired"
    if entry.live is None and entry.canary is None:
        return "draft"
    return "paused" if entry.is_paused else "live"


def _types(entry: _Entry) -> frozenset[str]:
    return frozenset[str]().union(*(looks.types for looks in entry.looks.values()))


def _looks(rule: Rule) -> _Looks:
    types = {rule.trigger.event, *_types_of_steps(rule.steps)}
    if rule.goal is not None:
        types.add(rule.goal.event)
    match rule.pattern:
        case Absence(of=of):
            types.update(match.event for match in of)
        case SequencePattern(then=then):
            types.add(then.event)
    return _Looks(rule.trigger.event, frozenset(types), _RANKS[rule.priority])


def _types_of_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Wait) and step.event is not None:
            yield step.event.event
        elif isinstance(step, Branch):
            yield from _types_of_steps(step.then)
            yield from _types_of_steps(step.otherwise)


def _notes(rule: Rule, compiled: CompiledRule) -> frozenset[str]:
    """What later expressions need; of rules that last, also what the condition has seen."""
    where = compiled.expressions.get("trigger.where")
    if where is None or (rule.pattern is None and not any(map(_lasts, rule.steps))):
        return compiled.remembers
    seen = (name for name in where.names if name.startswith("event."))
    return compiled.remembers | {f"trigger.{name[6:]}" for name in seen}


def _lasts(step: Step) -> bool:
    if isinstance(step, Branch):
        return any(map(_lasts, (*step.then, *step.otherwise)))
    return isinstance(step, Wait)
