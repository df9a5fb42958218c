"""What becomes of instances when their rule changes, and of rules that cannot be compiled."""

from typing import Any

import pytest

from app.engagement.compiled import CompiledRule
from app.engagement.effects import Decision, MessageEffect
from app.engagement.events import (
    OnChange,
    RulePaused,
    RuleResumed,
    RuleRetired,
    RuleSaved,
    RuleWentLive,
)
from app.engagement.rulebook import RuleBook
from app.engagement.shares import CANARY, HOLDOUT, is_in_share
from tests.unit.engagement.world import BEGIN, HOUR, SEND, World, compile_simply, rule_of, told

FIRST: list[dict[str, Any]] = [{"do": "wait", "time": "2h"}, {**SEND, "text": "first"}]
SECOND: list[dict[str, Any]] = [{"do": "wait", "time": "9h"}, {**SEND, "text": "second"}]
CUSTOMERS = [f"c-{number}" for number in range(2_000)]


def texts(decisions: list[Decision]) -> list[str | None]:
    return [e.text for one in decisions for e in one.effects if isinstance(e, MessageEffect)]


@pytest.mark.parametrize(
    ("on_change", "expected"),
    [(OnChange.DRAIN, "first"), (OnChange.MIGRATE, "second"), (OnChange.END, None)],
)
def test_what_runs_drains_migrates_or_ends_when_another_version_goes_live(
    on_change: OnChange, expected: str | None
) -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()
    world.save("rule", rule_of(steps=SECOND))
    decisions = world.happened("rule", RuleWentLive(2, on_change))

    assert told(decisions) == ([] if expected else ["ended:changed"])
    assert texts(world.due(2 * HOUR)) == ([expected] if expected else [])


def test_what_has_no_place_in_the_new_version_ends() -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()
    world.save("rule", rule_of())

    assert told(world.happened("rule", RuleWentLive(2, OnChange.MIGRATE))) == ["ended:changed"]


def test_a_count_that_drains_takes_its_triggers_by_its_own_version() -> None:
    world = World()
    world.live(pattern={"is": "count", "at_least": 3, "within": "1h"})
    world.see()
    world.live(pattern={"is": "count", "at_least": 2, "within": "1h"})

    decisions = [world.see() for _ in range(4)]

    assert [told(one) for one in decisions] == [[], ["acted"], [], ["acted"]]
    assert [one[0].made.rule_version for one in decisions if one] == [1, 2]


def test_a_retired_rule_begins_nothing_and_ends_what_runs() -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()

    assert told(world.happened("rule", RuleRetired())) == ["ended:retired"]
    assert world.see() == []
    assert world.state().is_empty
    assert world.book.types() == frozenset()


@pytest.mark.parametrize(("fires", "outcome"), [(False, "ended:overdue"), (True, "acted")])
def test_what_fell_due_in_a_pause_is_dropped_unless_asked_for(fires: bool, outcome: str) -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()
    world.happened("rule", RulePaused())

    assert world.due(3 * HOUR) == []
    assert world.see() == []
    assert world.state().held == ["rule"]
    assert world.state().due_at is None
    [decision] = world.happened("rule", RuleResumed(fires))
    assert (told([decision]), decision.made.at) == ([outcome], world.at)


def test_what_falls_due_after_a_pause_is_done_as_if_there_had_been_none() -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()
    world.happened("rule", RulePaused())
    world.at += HOUR

    assert world.happened("rule", RuleResumed()) == []
    assert told(world.due(HOUR)) == ["acted"]


def test_a_customer_who_is_not_looked_at_meanwhile_is_decided_the_same() -> None:
    told_by = []
    for looks_at_all_times in (True, False):
        world = World()
        world.live(steps=FIRST)
        world.see()
        for event in (RulePaused(), RuleResumed(fire_overdue=True)):
            world.at += 1.5 * HOUR
            if looks_at_all_times:
                world.due()
            world.book.apply("rule", event, world.at)
        world.at += 2 * HOUR
        told_by.append(world.due())

    assert told_by[0] == told_by[1] != []


@pytest.mark.parametrize("looks", [True, False])
def test_a_time_that_is_over_in_a_pause_is_over_quietly(looks: bool) -> None:
    world = World()
    world.live("count", pattern={"is": "count", "at_least": 2, "within": "1h"})
    world.live("goal", goal={"event": "bought", "within": "1h"})
    world.see()
    for name in ("count", "goal"):
        world.book.apply(name, RulePaused(), world.at)
    world.at += 2 * HOUR
    decisions = world.due() if looks else []
    for name in ("count", "goal"):
        world.book.apply(name, RuleResumed(), world.at)

    assert decisions + world.due(HOUR) == []
    assert world.state().is_empty


def test_an_absence_that_ended_in_a_pause_is_over() -> None:
    world = World()
    world.live(pattern={"is": "absence", "of": [{"event": "bought"}], "within": "1h"})
    world.see()
    world.happened("rule", RulePaused())
    world.see("bought")

    assert world.happened("rule", RuleResumed(fire_overdue=True)) == []
    assert world.due(2 * HOUR) == []


def test_a_canary_is_for_its_share_and_for_the_same_customers_when_that_grows() -> None:
    world = World()
    world.live(steps=[{**SEND, "text": "old"}])
    world.save("rule", rule_of(steps=[{**SEND, "text": "new"}]))
    got: list[set[str]] = []
    for share in (10, 50):
        world.happened("rule", RuleWentLive(2, share=share))
        got.append({who for who in CUSTOMERS if texts(world.see(who=who)) == ["new"]})

    assert got[0] < got[1]
    assert 0.07 < len(got[0]) / len(CUSTOMERS) < 0.13
    assert 0.45 < len(got[1]) / len(CUSTOMERS) < 0.55


def test_shares_are_stable_and_do_not_depend_on_each_other() -> None:
    held_out = {who for who in CUSTOMERS if is_in_share(HOLDOUT, "rule", who, 20)}
    canary = {who for who in CUSTOMERS if is_in_share(CANARY, "rule", who, 20)}

    assert 0.17 < len(held_out) / len(CUSTOMERS) < 0.23
    assert 0.02 < len(held_out & canary) / len(CUSTOMERS) < 0.06
    assert [who for who in CUSTOMERS[:20] if who in held_out] == ["c-8", "c-9", "c-16"]
    assert not any(is_in_share(HOLDOUT, "rule", who, 0) for who in CUSTOMERS)
    assert all(is_in_share(HOLDOUT, "rule", who, 100) for who in CUSTOMERS)


def test_a_rule_that_does_not_compile_says_why_and_harms_no_other() -> None:
    world = World()
    world.live("broken", description="broken")
    world.live("sound")

    assert [one.made.rule for one in world.see()] == ["sound"]
    assert world.book.failures == {("broken", 1): "it does not compile"}


def test_what_runs_on_a_version_that_does_not_compile_any_more_fails() -> None:
    world = World()
    world.live(steps=FIRST)
    world.see()
    again = RuleBook(compile_simply)
    again.apply("rule", RuleSaved(1, rule_of(steps=FIRST, description="broken")), BEGIN)
    again.apply("rule", RuleWentLive(1), BEGIN)
    world.evaluator = type(world.evaluator)(again)

    assert told(world.due(2 * HOUR)) == ["failed:failed"]
    assert world.state().is_empty


def test_a_draft_begins_nothing() -> None:
    world = World()
    world.save("rule", rule_of())

    assert world.see() == []
    assert world.book.states() == {"rule": "draft"}


def test_a_book_looks_at_the_types_of_all_versions_that_may_run() -> None:
    world = World()
    event = {"event": "clicked"}
    world.live(steps=[{"do": "wait", "event": event, "at_most": "1h"}], goal={"event": "bought"})
    world.live(trigger={"event": "tock"})

    assert world.book.types() == {"tick", "tock", "clicked", "bought"}
    world.save("rule", rule_of(trigger={"event": "tock"}))
    world.happened("rule", RuleWentLive(3, OnChange.END))
    assert world.book.types() == {"tock"}
    assert not world.book.looks_at("tick")


@pytest.mark.parametrize(("on_change", "compiled"), [(OnChange.DRAIN, 1), (OnChange.MIGRATE, 2)])
def test_a_version_that_nothing_runs_on_is_not_kept_compiled(
    on_change: OnChange, compiled: int
) -> None:
    numbers = []

    def compiler(saved: RuleSaved) -> CompiledRule:
        numbers.append(saved.rule_version)
        return compile_simply(saved)

    book = RuleBook(compiler)
    for number in (1, 2):
        book.apply("rule", RuleSaved(number, rule_of(), {}), BEGIN)
    for number in (1, 2):
        book.apply("rule", RuleWentLive(number, on_change), BEGIN)
        assert book.version("rule", 1)
    assert numbers == [1] * compiled
