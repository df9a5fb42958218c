"""What may happen to a rule, and to the settings of engagement."""

import hypothesis
import pytest
from hypothesis import strategies as st

from app.engagement.decider import (
    MAX_VERSIONS,
    RULE,
    SETTINGS,
    ChangeSettings,
    GoLive,
    NoSuchRule,
    NoSuchRuleVersion,
    Pause,
    Resume,
    Retire,
    RuleCommand,
    RuleIsRetired,
    RuleNotLive,
    SaveRule,
    TooManyRuleVersions,
)
from app.engagement.events import (
    OnChange,
    RulePaused,
    RuleResumed,
    RuleRetired,
    RuleSaved,
    RuleWentLive,
    SettingsChanged,
)
from app.engagement.rule import QuietHours, Rule, SendMessage, Settings, Trigger
from app.engagement.shapes import Field, Kind
from app.testing.specs import given
from tests.specs.test_laws import (
    MAX_COMMANDS,
    check_that_folds_agree,
    check_that_repeats_are_nothing_or_refused,
    law,
)

SHAPES = {"Order Placed": {"amount": Field(Kind.NUMBER)}}
HELLO = Rule(Trigger("Order Placed"), (SendMessage("thanks", text="Hello"),))
BYE = Rule(Trigger("Order Placed"), (SendMessage("thanks", text="Bye"),))
FIRST, SECOND = RuleSaved(1, HELLO, SHAPES), RuleSaved(2, BYE, SHAPES)
LIVE = (FIRST, RuleWentLive(1))
PAUSED = (*LIVE, RulePaused())
RETIRED = (*LIVE, RuleRetired())


def test_what_is_saved_first_is_version_1() -> None:
    given(RULE).when(SaveRule(HELLO, SHAPES)).then(FIRST)


def test_what_is_saved_then_is_the_next_version() -> None:
    given(RULE, FIRST).when(SaveRule(BYE, SHAPES)).then(SECOND)
    given(RULE, FIRST, SECOND).when(SaveRule(HELLO, SHAPES)).then(RuleSaved(3, HELLO, SHAPES))


def test_what_the_newest_version_says_is_nothing_new() -> None:
    given(RULE, *LIVE).when(SaveRule(HELLO, SHAPES)).then_nothing()


def test_a_rule_whose_events_were_declared_otherwise_is_a_new_version() -> None:
    shapes = {"Order Placed": {"amount": Field(Kind.INT)}}
    given(RULE, FIRST).when(SaveRule(HELLO, shapes)).then(RuleSaved(2, HELLO, shapes))


def test_versions_are_bounded() -> None:
    last = RuleSaved(MAX_VERSIONS, HELLO, SHAPES)
    given(RULE, FIRST, last).when(SaveRule(BYE, SHAPES)).then_refused(TooManyRuleVersions)


def test_a_version_goes_live() -> None:
    given(RULE, FIRST).when(GoLive(1)).then(RuleWentLive(1))
    given(RULE, *LIVE, SECOND).when(GoLive(2, OnChange.MIGRATE)).then(
        RuleWentLive(2, OnChange.MIGRATE)
    )


def test_a_version_that_is_live_goes_live_no_more() -> None:
    given(RULE, *LIVE).when(GoLive(1, OnChange.END)).then_nothing()


def test_a_version_goes_live_for_a_share_beside_the_one_before() -> None:
    canary = RuleWentLive(2, share=10)
    given(RULE, *LIVE, SECOND).when(GoLive(2, share=10)).then(canary)
    given(RULE, *LIVE, SECOND, canary).when(GoLive(2, share=10)).then_nothing()
    given(RULE, *LIVE, SECOND, canary).when(GoLive(2, share=20)).then(RuleWentLive(2, share=20))
    given(RULE, *LIVE, SECOND, canary).when(GoLive(2)).then(RuleWentLive(2))
    given(RULE, *LIVE, SECOND, canary).when(GoLive(1)).then(RuleWentLive(1))


def test_a_version_may_begin_with_a_share() -> None:
    given(RULE, FIRST).when(GoLive(1, share=5)).then(RuleWentLive(1, share=5))


@pytest.mark.parametrize("version", [0, 2])
def test_a_version_that_there_is_not_cannot_go_live(version: int) -> None:
    given(RULE, FIRST).when(GoLive(version)).then_refused(NoSuchRuleVersion)


def test_a_live_rule_is_paused_once_and_resumed_once() -> None:
    given(RULE, *LIVE).when(Pause()).then(RulePaused())
    given(RULE, *PAUSED).when(Pause()).then_nothing()
    given(RULE, *PAUSED).when(Resume(fire_overdue=True)).then(RuleResumed(fire_overdue=True))
    given(RULE, *LIVE).when(Resume()).then_nothing()


def test_a_paused_rule_stays_so_when_a_version_goes_live() -> None:
    given(RULE, *PAUSED, SECOND, RuleWentLive(2)).when(Resume()).then(RuleResumed())


@pytest.mark.parametrize("command", [Pause(), Resume()])
def test_a_draft_is_neither_paused_nor_resumed(command: RuleCommand) -> None:
    given(RULE, FIRST).when(command).then_refused(RuleNotLive)


@pytest.mark.parametrize("history", [(FIRST,), LIVE, PAUSED])
def test_a_rule_retires_once(history: tuple[RuleSaved, ...]) -> None:
    given(RULE, *history).when(Retire()).then(RuleRetired())
    given(RULE, *history, RuleRetired()).when(Retire()).then_nothing()


@pytest.mark.parametrize("command", [SaveRule(BYE, SHAPES), GoLive(1), Pause(), Resume()])
def test_a_retired_rule_is_over(command: RuleCommand) -> None:
    given(RULE, *RETIRED).when(command).then_refused(RuleIsRetired)


@pytest.mark.parametrize("command", [GoLive(1), Pause(), Resume(), Retire()])
def test_there_is_no_rule_before_it_is_saved(command: RuleCommand) -> None:
    given(RULE).when(command).then_refused(NoSuchRule)


def test_settings_change() -> None:
    changed = Settings("Europe/Berlin", QuietHours("21:00", "08:00"))
    given(SETTINGS).when(ChangeSettings(changed)).then(SettingsChanged(changed))
    given(SETTINGS, SettingsChanged(changed)).when(ChangeSettings(changed)).then_nothing()
    given(SETTINGS).when(ChangeSettings(Settings())).then_nothing()


rule_commands: st.SearchStrategy[list[RuleCommand]] = st.lists(
    st.sampled_from([HELLO, BYE]).map(lambda rule: SaveRule(rule, SHAPES))
    | st.builds(GoLive, st.integers(0, 3), st.sampled_from(OnChange), st.sampled_from([5, 100]))
    | st.builds(Pause)
    | st.builds(Resume, st.booleans())
    | st.just(Retire()),
    max_size=MAX_COMMANDS,
)


@law
@hypothesis.given(rule_commands)
def test_folds_agree_and_repeats_are_nothing(commands: list[RuleCommand]) -> None:
    check_that_folds_agree(RULE, commands)
    check_that_repeats_are_nothing_or_refused(RULE, commands)
