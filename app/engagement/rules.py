"""The rules of a store, as those who write them see them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from app.engagement.command_fields import Commands
from app.engagement.compiled import Fault, InvalidRule, check_rule
from app.engagement.decider import (
    RULE,
    Canary,
    GoLive,
    Live,
    NoSuchRuleVersion,
    Paused,
    Retired,
    SaveRule,
    Unwritten,
    Written,
)
from app.engagement.events import RuleSaved
from app.engagement.places import steps_in
from app.engagement.rule import Rule, SendMessage
from app.engagement.shapes import EventShapes
from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.errors import InvalidInput, NotFound, Refused
from app.kernel.event import RecordedEvent
from app.kernel.ids import stream_name

PAGE_EVENTS = 500

MAX_RULES = 10_000
CHANNELS = frozenset({"inbox", "email", "webhook", "console"})
"""What messages can go out by."""
HasTemplate = Callable[[str], Awaitable[bool]]
"""Whether a template of this name has been saved."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NAMES = "a rule's name has 1 to 64 of a-z, 0-9, - and _, and begins with a letter or a digit"
_STREAM = stream_name(RULE.category, "")


class TooManyRules(Refused):
    """There are at most 10,000 rules."""


class RuleStatus(Enum):
    """Where a rule is in its life."""

    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"
    RETIRED = "retired"


class RuleSummary(Struct, frozen=True):
    """A rule, without what it says."""

    name: Annotated[str, Meta(examples=["abandoned-cart"])]
    status: RuleStatus
    newest_version: Annotated[int, Meta(examples=[3])]
    live_version: Annotated[int | None, Meta(examples=[2])]
    """The version that begins for customers; of a paused rule, when it is resumed."""
    canary: Canary | None
    """A version that only a share of them get."""
    changed_at: datetime


class RuleVersion(Struct, frozen=True):
    """A version of a rule."""

    version: int
    saved_at: datetime


class RuleDetails(RuleSummary, frozen=True):
    """A rule, with what one of its versions says."""

    versions: Sequence[RuleVersion]
    shown_version: int
    rule: Rule


class Rules:
    """Every rule of a store. What it says is read when it is asked for."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        known: EventShapes,
        commands: Commands,
        has_template: HasTemplate,
    ) -> None:
        """Take what rules are checked against: types of events, commands they may call, and
        templates.
        """
        self._store = store
        self._codec = codec
        self._known = known
        self._commands = commands
        self._has_template = has_template
        self._position = 0
        self._states: dict[str, Written] = {}
        self._summaries: dict[str, RuleSummary] = {}
        self._refreshing = asyncio.Lock()

    async def saving(self, name: str, rule: Rule) -> SaveRule:
        """The command that saves a rule, checked.

        Raises `InvalidRule`, `InvalidInput`, `TooManyRules` and `StoreUnavailable`.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput(_NAMES, field="name")
        shapes = check_rule(rule, self._known, self._commands, CHANNELS)
        known = {one.name for one in await self.all()}
        if len(known) >= MAX_RULES and name not in known:
            raise TooManyRules
        return SaveRule(rule, shapes)

    async def going_live(self, name: str, command: GoLive) -> GoLive:
        """The command that lets a version go live, checked against what a draft may do without.

        Raises `InvalidRule` and `StoreUnavailable`; what there is not is the command's to refuse.
        """
        try:
            details, _ = await self.one(name, command.version)
        except (NotFound, NoSuchRuleVersion):
            return command
        if faults := await self.missing_templates(details.rule):
            raise InvalidRule(faults)
        return command

    async def missing_templates(self, rule: Rule) -> list[Fault]:
        """Where it names templates that have not been saved yet. Raises `StoreUnavailable`."""
        return [
            Fault(f"{at.field}.template", f"there is no template {template!r} yet")
            for at in steps_in(rule)
            if isinstance(at.step, SendMessage)
            and (template := at.step.template) is not None
            and not await self._has_template(template)
        ]

    async def all(self) -> list[RuleSummary]:
        """Every rule, by name. Raises `StoreUnavailable`."""
        async with self._refreshing:
            is_more = True
            while is_more:
                page = await self._store.read_category(
                    RULE.category, limit=PAGE_EVENTS, after=self._position
                )
                for recorded in page:
                    self._take_in(recorded)
                is_more = len(page) == PAGE_EVENTS
        return [self._summaries[name] for name in sorted(self._summaries)]

    async def one(self, name: str, version: int | None = None) -> tuple[RuleDetails, int]:
        """A rule with what its newest version says, or a given one; and its stream's version.

        Raises `NotFound`, `NoSuchRuleVersion` and `StoreUnavailable`.
        """
        state: Any = RULE.initial
        saved: list[tuple[RuleSaved, datetime]] = []
        recorded = None
        for recorded in await self._store.read_stream(f"{_STREAM}{name}"):
            event = self._codec.decode(recorded)
            state = RULE.evolve(state, event)
            if isinstance(event, RuleSaved):
                saved.append((event, recorded.recorded_at))
        if recorded is None or isinstance(state, Unwritten):
            raise NotFound(f"there is no rule {name!r}")
        shown = state.newest.rule_version if version is None else version
        if not 1 <= shown <= len(saved):
            raise NoSuchRuleVersion
        details = RuleDetails(
            **_told(name, state, recorded.recorded_at),
            versions=[RuleVersion(one.rule_version, at) for one, at in saved],
            shown_version=shown,
            rule=saved[shown - 1][0].rule,
        )
        return details, recorded.version

    async def version_saved(self, name: str, stream_version: int) -> int:
        """The rule's version as of its stream's version. Raises `NotFound`."""
        events = await self._store.read_stream(f"{_STREAM}{name}", limit=stream_version)
        for recorded in reversed(events):
            event = self._codec.decode(recorded)
            if isinstance(event, RuleSaved):
                return event.rule_version
        raise NotFound(f"there is no rule {name!r}")

    def _take_in(self, recorded: RecordedEvent) -> None:
        name = recorded.stream.removeprefix(_STREAM)
        state = RULE.evolve(self._states.get(name, RULE.initial), self._codec.decode(recorded))
        self._states[name] = state
        self._summaries[name] = RuleSummary(**_told(name, state, recorded.recorded_at))
        self._position = recorded.position


def _told(name: str, state: Written, changed_at: datetime) -> dict[str, Any]:
    running = state.running if isinstance(state, Live | Paused) else None
    return {
        "name": name,
        "status": _status(state),
        "newest_version": state.newest.rule_version,
        "live_version": running.version if running else None,
        "canary": running.canary if running else None,
        "changed_at": changed_at,
    }


def _status(state: Written) -> RuleStatus:
    match state:
        case Live():
            return RuleStatus.LIVE
        case Paused():
            return RuleStatus.PAUSED
        case Retired():
            return RuleStatus.RETIRED
        case _:
            return RuleStatus.DRAFT
