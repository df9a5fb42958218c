"""A rule's life: draft, live, paused, retired; and the settings that hold for all rules."""

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec
from msgspec import Struct
from msgspec.json import Encoder

from app.engagement.events import (
    OnChange,
    RulePaused,
    RuleResumed,
    RuleRetired,
    RuleSaved,
    RuleWentLive,
    SettingsChanged,
)
from app.engagement.rule import Percent, Rule, Settings
from app.engagement.shapes import Shapes
from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event

MAX_VERSIONS = 1_000
SETTINGS_ID = "settings"
"""Of the one thing of its category: its stream is ``engagement-settings``."""
WHOLE_SHARE = 100

# The order of keys says nothing; JSON tells 1 from true, which Python calls equal.
_encoder = Encoder(order="deterministic")


class NoSuchRule(NotFound, Refused):
    """There is no such rule."""


class NoSuchRuleVersion(Refused):
    """The rule has no such version."""


class RuleNotLive(Refused):
    """The rule has not gone live yet."""


class RuleIsRetired(Refused):
    """The rule is retired; another one takes another name."""


class TooManyRuleVersions(Refused):
    """A rule has at most 1,000 versions."""


class SaveRule(Struct, frozen=True):
    """Write a version; nothing when the newest one says the same."""

    rule: Rule
    shapes: Shapes


class GoLive(Struct, frozen=True):
    """Let a version begin for customers: for all, or for a share of them."""

    version: int
    on_change: OnChange = OnChange.DRAIN
    share: Percent = WHOLE_SHARE


class Pause(Struct, frozen=True):
    """Let nothing begin, and nothing go on."""


class Resume(Struct, frozen=True):
    """Let it go on, with or without what fell due meanwhile."""

    fire_overdue: bool = False


class Retire(Struct, frozen=True):
    """End it, with all that it began."""


RuleCommand = SaveRule | GoLive | Pause | Resume | Retire


class Canary(Struct, frozen=True):
    """A version that only a share of the customers get."""

    version: int
    share: Percent


class Running(Struct, frozen=True):
    """Which versions begin for customers."""

    version: int | None
    """None: nothing, but for the canary's share."""
    canary: Canary | None = None


class Unwritten(Struct, frozen=True):
    """There is no rule of this name."""


class Written(Struct, frozen=True):
    """There is one."""

    newest: RuleSaved


class Draft(Written, frozen=True):
    """No version has gone live."""


class Live(Written, frozen=True):
    """It acts."""

    running: Running


class Paused(Written, frozen=True):
    """It waits to be resumed."""

    running: Running


class Retired(Written, frozen=True):
    """It ended for good."""


RuleState = Unwritten | Draft | Live | Paused | Retired


def decide_rule(command: RuleCommand, state: RuleState) -> Sequence[Event]:
    """What follows from a command to a rule."""
    if isinstance(command, SaveRule):
        return _save(command, state)
    if isinstance(state, Unwritten):
        raise NoSuchRule
    if isinstance(command, Retire):
        return () if isinstance(state, Retired) else (RuleRetired(),)
    if isinstance(state, Retired):
        raise RuleIsRetired
    match command:
        case GoLive():
            return _go_live(command, state)
        case Pause():
            _check_is_running(state)
            return (RulePaused(),) if isinstance(state, Live) else ()
        case Resume(fire_overdue):
            _check_is_running(state)
            return (RuleResumed(fire_overdue),) if isinstance(state, Paused) else ()
        case _:
            assert_never(command)


def _save(command: SaveRule, state: RuleState) -> Sequence[Event]:
    if isinstance(state, Unwritten):
        return (RuleSaved(1, command.rule, command.shapes),)
    if isinstance(state, Retired):
        raise RuleIsRetired
    newest = state.newest
    saved = msgspec.structs.replace(newest, rule=command.rule, shapes=command.shapes)
    if _encoder.encode(saved) == _encoder.encode(newest):
        return ()
    if newest.rule_version >= MAX_VERSIONS:
        raise TooManyRuleVersions
    return (msgspec.structs.replace(saved, rule_version=newest.rule_version + 1),)


def _go_live(command: GoLive, state: Draft | Live | Paused) -> Sequence[Event]:
    if not 1 <= command.version <= state.newest.rule_version:
        raise NoSuchRuleVersion
    event = RuleWentLive(command.version, command.on_change, command.share)
    before = None if isinstance(state, Draft) else state.running
    return () if before == _running_after(event, before) else (event,)


def _check_is_running(state: Draft | Live | Paused) -> None:
    if isinstance(state, Draft):
        raise RuleNotLive


def _running_after(event: RuleWentLive, before: Running | None) -> Running:
    if event.share == WHOLE_SHARE:
        return Running(event.rule_version)
    return Running(before.version if before else None, Canary(event.rule_version, event.share))


def evolve_rule(state: RuleState, event: Event) -> RuleState:
    """The rule after an event."""
    if isinstance(event, RuleSaved):
        is_first = isinstance(state, Unwritten)
        return Draft(event) if is_first else msgspec.structs.replace(state, newest=event)
    match state, event:
        case Draft(newest=newest), RuleWentLive():
            return Live(newest, _running_after(event, None))
        case (Live() | Paused()) as known, RuleWentLive():
            running = _running_after(event, known.running)
            return msgspec.structs.replace(known, running=running)
        case Live(newest=newest, running=running), RulePaused():
            return Paused(newest, running)
        case Paused(newest=newest, running=running), RuleResumed():
            return Live(newest, running)
        case Written(newest=newest), RuleRetired():
            return Retired(newest)
        case _:
            raise UnknownEvent(f"{event.tag} cannot happen to this rule")


RULE: Decider[RuleCommand, Any] = Decider(
    category="rule",
    initial=Unwritten(),
    decide=decide_rule,
    evolve=evolve_rule,
    events=(RuleSaved, RuleWentLive, RulePaused, RuleResumed, RuleRetired),
)


class ChangeSettings(Struct, frozen=True):
    """Let this hold for all rules; nothing when it does."""

    settings: Settings


def decide_settings(command: ChangeSettings, settings: Settings) -> Sequence[Event]:
    """The change, if it is one."""
    return () if command.settings == settings else (SettingsChanged(command.settings),)


def evolve_settings(_: Settings, event: Event) -> Settings:
    """What holds now."""
    if not isinstance(event, SettingsChanged):
        raise UnknownEvent(f"{event.tag} is no event of the settings")
    return event.settings


SETTINGS: Decider[ChangeSettings, Settings] = Decider(
    category="engagement",
    initial=Settings(),
    decide=decide_settings,
    evolve=evolve_settings,
    events=(SettingsChanged,),
)
