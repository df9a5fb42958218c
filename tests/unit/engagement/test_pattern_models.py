"""Patterns against plain models of them, over random histories."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engagement.effects import Decision, MessageEffect
from app.engagement.state import CustomerState
from tests.unit.engagement.world import BEGIN, SECOND, SEND, World

WITHIN = 10
"""Seconds."""

History = list[tuple[int, str, int, int]]
"""Seconds after the last one, type, key and amount."""
Came = list[tuple[datetime, str, int]]
"""Of one key: when, type, amount."""

histories: st.SearchStrategy[History] = st.lists(
    st.tuples(
        st.integers(0, 12), st.sampled_from(["a", "a", "b"]), st.integers(1, 2), st.integers(-2, 5)
    ),
    max_size=25,
)
quickly = settings(max_examples=40, deadline=None)


def acted(pattern: dict[str, Any], history: History) -> dict[int, list[datetime]]:
    """When the rule acted, by key; a day passes after the last event."""
    world = World()
    trigger = {"event": "a", "key": "event.data.key"}
    steps = [{**SEND, "parameters": {"key": "trigger.data.key"}}]
    world.live(trigger=trigger, pattern={**pattern, "within": f"{WITHIN}s"}, steps=steps)
    decisions = []
    for after, event_type, key, amount in history:
        decisions += world.see(event_type, after * SECOND, key=key, amount=amount)
    decisions += world.due(timedelta(days=1))
    assert world.state().is_empty
    found: dict[int, list[datetime]] = {1: [], 2: []}
    for one in decisions:
        [effect] = one.effects
        assert isinstance(effect, MessageEffect)
        found[effect.parameters["key"]].append(one.made.at)
    return found


def modelled(
    model: Callable[[Came], list[datetime]], history: History
) -> dict[int, list[datetime]]:
    at, came = BEGIN, dict[int, Came]({1: [], 2: []})
    for after, event_type, key, amount in history:
        at += after * SECOND
        came[key].append((at, event_type, amount))
    return {key: model(one) for key, one in came.items()}


def is_within(first: datetime, second: datetime) -> bool:
    return second - first < WITHIN * SECOND


@quickly
@given(histories, st.booleans())
def test_absence(history: History, restarts: bool) -> None:
    def model(came: Came) -> list[datetime]:
        found, begun = [], list[datetime]()
        for at, event_type, _ in [*came, (datetime.max.replace(tzinfo=BEGIN.tzinfo), "b", 0)]:
            if begun and not is_within(begun[0], at):
                found.append(begun.pop() + WITHIN * SECOND)
            if event_type == "b":
                begun = []
            elif restarts or not begun:
                begun = [at]
        return found

    again = "restart" if restarts else "ignore"
    pattern = {"is": "absence", "of": [{"event": "b"}], "again": again}
    assert acted(pattern, history) == modelled(model, history)


@quickly
@given(histories, st.integers(1, 4))
def test_count(history: History, at_least: int) -> None:
    def model(came: Came) -> list[datetime]:
        found, since = [], 0
        for index, (at, _, _) in enumerate(triggers := [one for one in came if one[1] == "a"]):
            if sum(is_within(one[0], at) for one in triggers[since : index + 1]) >= at_least:
                found.append(at)
                since = index + 1
        return found

    assert acted({"is": "count", "at_least": at_least}, history) == modelled(model, history)


@quickly
@given(histories, st.integers(0, 12))
def test_sum(history: History, over: int) -> None:
    def model(came: Came) -> list[datetime]:
        found, since = [], 0
        for index, (at, _, _) in enumerate(triggers := [one for one in came if one[1] == "a"]):
            window = [one[2] for one in triggers[since : index + 1] if is_within(one[0], at)]
            if sum(window) > over:
                found.append(at)
                since = index + 1
        return found

    pattern = {"is": "sum", "of": "event.data.amount", "over": over}
    assert acted(pattern, history) == modelled(model, history)


@quickly
@given(histories)
def test_sequence(history: History) -> None:
    def model(came: Came) -> list[datetime]:
        found, since = [], 0
        for index, (at, event_type, _) in enumerate(came):
            before = [one for one in came[since:index] if one[1] == "a" and is_within(one[0], at)]
            if event_type == "b" and before:
                found.append(at)
                since = index
        return found

    assert acted({"is": "sequence", "then": {"event": "b"}}, history) == modelled(model, history)


# Whatever the rules are

RULES: dict[str, dict[str, Any]] = {
    "absence": {"pattern": {"is": "absence", "of": [{"event": "b"}], "within": "10s"}},
    "count": {"pattern": {"is": "count", "at_least": 2, "within": "10s"}},
    "waits": {
        "steps": [{"do": "wait", "time": "7s"}, SEND, {"do": "wait", "time": "3s"}, SEND],
        "goal": {"event": "b", "within": "9s"},
        "holdout": 50,
    },
    "event": {
        "steps": [
            {"do": "wait", "event": {"event": "b"}, "at_most": "8s", "otherwise": "go_on"},
            SEND,
        ],
        "limits": {"consent": False, "re_entry": {"at_most": 1, "each": "15s"}},
    },
}


def a_world() -> World:
    world = World()
    world.settings(caps=[{"at_most": 3, "within": "20s"}])
    for name, rule in RULES.items():
        world.live(name, trigger={"event": "a", "key": "event.data.key"}, **rule)
    return world


def lived(world: World, history: History, who: str = "anna") -> list[Decision]:
    found = []
    for after, event_type, key, _ in history:
        found += world.see(event_type, after * SECOND, who=who, key=key)
    return found + world.due(60 * SECOND, who=who)


@quickly
@given(histories, st.lists(st.integers(0, 60), max_size=5))
def test_it_does_not_matter_when_due_times_are_looked_at(
    history: History, looks: list[int]
) -> None:
    whole, split = a_world(), a_world()
    for after, event_type, key, _ in history:
        whole.see(event_type, after * SECOND, key=key)
        split.see(event_type, after * SECOND, key=key)
    begin, decided = split.at, []
    for at in sorted(looks):
        split.at = begin + at * SECOND
        decided += split.due()
    split.at = begin + 60 * SECOND

    assert whole.due(60 * SECOND) == decided + split.due()
    assert whole.states == split.states


@quickly
@given(histories)
def test_state_that_was_kept_as_json_decides_the_same(history: History) -> None:
    plain, kept = a_world(), a_world()
    for after, event_type, key, _ in history:
        expected = plain.see(event_type, after * SECOND, key=key)
        assert kept.see(event_type, after * SECOND, key=key) == expected
        encoded = msgspec.json.encode(kept.state())
        kept.states["anna"] = msgspec.json.decode(encoded, type=CustomerState)


@quickly
@given(histories, histories)
def test_one_customer_does_not_touch_another(history: History, other: History) -> None:
    alone, together = a_world(), a_world()
    expected = lived(alone, history, who="anna")
    together.at = BEGIN
    lived(together, other, who="bert")
    before = copy.deepcopy(together.states["bert"]) if "bert" in together.states else None
    together.at = BEGIN

    decisions = lived(together, history, who="anna")

    def what(decisions: list[Decision]) -> list[Any]:
        return [(d.made.rule, d.made.step, d.made.outcome, d.made.at) for d in decisions]

    assert what(decisions) == what(expected)
    assert together.states.get("bert") == before
