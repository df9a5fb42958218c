"""What holds messages back, one reason at a time and in order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engagement.effects import Decision, MessageEffect
from app.engagement.events import Outcome
from app.engagement.instances import MAX_INSTANCES, MAX_INSTANCES_BY_RULE
from app.engagement.limits import MAX_BEGUN_KEYS, REASONS
from app.engagement.patterns import MAX_SEEN
from tests.unit.engagement.world import HOUR, SECOND, SEND, World, told

BOTH = {**SEND, "channels": ["email", "inbox"]}
QUIET = {"begin": "22:00", "end": "08:00"}
DOCS = Path(__file__).parents[3] / "docs"
BOUNDS = {
    "instances of a rule": MAX_INSTANCES_BY_RULE,
    "instances of all rules": MAX_INSTANCES,
    "triggers that a sum remembers": MAX_SEEN,
    "rules and keys": MAX_BEGUN_KEYS,
}
ALWAYS = {"begin": "00:00", "end": "23:59"}


def channels(decision: Decision) -> tuple[str, ...]:
    [effect] = decision.effects
    assert isinstance(effect, MessageEffect)
    return effect.channels


@pytest.mark.parametrize(
    ("required", "said", "outcome"),
    [
        (True, None, "held_back:no_consent"),
        (True, True, "acted"),
        (True, False, "held_back:consent_withdrawn"),
        (False, None, "acted"),
        (False, False, "held_back:consent_withdrawn"),
    ],
)
def test_consent_is_asked_for_unless_the_rule_needs_none(
    required: bool, said: bool | None, outcome: str
) -> None:
    world = World()
    world.live(limits={"consent": required}, priority="critical")
    world.profile(consents={} if said is None else {("inbox", "news"): said})

    assert told(world.see()) == [outcome]


def test_another_channel_is_taken_when_one_is_suppressed_and_none_when_all_are() -> None:
    world = World()
    world.live(steps=[BOTH])
    world.profile(suppressed=frozenset({"email"}))

    [decision] = world.see()
    assert told([decision]) == ["acted:suppressed"]
    assert channels(decision) == ("inbox",)
    world.profile(suppressed=frozenset({"email", "inbox"}))
    assert told(world.see()) == ["held_back:suppressed:suppressed"]


def test_caps_count_by_channel_and_over_all_and_critical_messages_pass() -> None:
    world = World()
    world.settings(
        caps=[
            {"at_most": 1, "within": "1h", "channel": "email"},
            {"at_most": 3, "within": "1d"},
        ]
    )
    world.live(steps=[BOTH])
    world.live("fraud", trigger={"event": "fraud"}, priority="critical")

    assert [channels(world.see()[0]) for _ in range(3)] == [
        ("email", "inbox"),
        ("inbox",),
        ("inbox",),
    ]
    [decision] = world.see()
    assert told([decision]) == ["held_back:cap:cap"]
    assert decision.made.held[1].detail == "all: 3 in 1d"
    assert told(world.see("fraud")) == ["acted"]
    assert told(world.see(after=timedelta(days=1))) == ["acted"]


@pytest.mark.parametrize(("each", "outcome"), [("1h", "acted"), (None, "held_back:re_entry")])
def test_re_entry_is_for_a_time_or_for_ever_and_by_key(each: str | None, outcome: str) -> None:
    world = World()
    re_entry = {"at_most": 1, "each": each}
    limits = {"consent": False, "re_entry": re_entry}
    world.live(trigger={"event": "tick", "key": "event.data.key"}, limits=limits)

    assert told(world.see(key=1)) == ["acted"]
    assert told(world.see(key=1)) == ["held_back:re_entry"]
    assert told(world.see(key=2)) == ["acted"]
    assert told(world.see(key=1, after=HOUR)) == [outcome]


def test_a_mass_limit_holds_back_as_long_as_it_goes_on() -> None:
    world = World()
    world.live(limits={"consent": False, "mass": {"more_than": 3, "within": "10m"}})
    minute = timedelta(minutes=1)

    outcomes = [told(world.see(who=f"c-{n}", after=minute))[0] for n in range(30)]

    assert outcomes == ["acted"] * 3 + ["held_back:mass"] * 27
    assert told(world.see(after=timedelta(minutes=11))) == ["acted"]
    assert len(world.totals.recent["rule/message"]) == 1


def test_an_offer_runs_out_in_total() -> None:
    world = World()
    world.live(steps=[{"do": "offer", "offer": "gift", "expires_in": "1d", "in_total": 2}])

    outcomes = [told(world.see(who=f"c-{n}"))[0] for n in range(3)]

    assert outcomes == ["acted", "acted", "held_back:offer_total"]


@pytest.mark.parametrize(
    ("policy", "priority", "outcome"),
    [
        ("defer", "normal", "acted:quiet_hours"),
        ("drop", "normal", "held_back:quiet_hours"),
        ("ignore", "normal", "acted"),
        ("defer", "critical", "acted"),
    ],
)
def test_quiet_hours_defer_or_drop(policy: str, priority: str, outcome: str) -> None:
    world = World()
    world.settings(quiet_hours=QUIET)
    world.profile(traits={"time_zone": "Asia/Tokyo"})  # where it is 22:00 at 13:00 UTC
    world.live(limits={"consent": False, "quiet_hours": policy}, priority=priority)

    assert told(world.see(after=HOUR - SECOND)) == ["acted"]
    [decision] = world.see()

    assert told([decision]) == [outcome]
    deferred = [did.not_before for did in decision.made.did]
    if policy == "defer" and priority == "normal":
        assert deferred == [datetime(2026, 3, 2, 23, tzinfo=UTC)]
    else:
        assert deferred in ([], [None])


def test_the_first_reason_of_a_channel_is_told() -> None:
    world = World()
    world.settings(
        caps=[{"at_most": 1, "within": "1d"}], quiet_hours={"begin": "00:00", "end": "23:59"}
    )
    world.live("first", limits={"consent": False})
    world.live("second", limits={"quiet_hours": "drop"})
    world.see()

    world.profile(suppressed=frozenset({"inbox"}))
    assert told(world.see()) == ["held_back:suppressed", "held_back:no_consent"]
    world.profile(consents={("inbox", "news"): True})
    assert told(world.see()) == ["held_back:cap", "held_back:cap"]
    assert told(world.see(after=timedelta(days=1, hours=1))) == [
        "acted:quiet_hours",
        "held_back:cap",
    ]


def test_those_held_out_enter_as_often_as_others() -> None:
    world = World()
    re_entry: dict[str, Any] = {"at_most": 1}
    world.live(holdout=50, limits={"consent": False, "re_entry": re_entry})

    outcomes = [
        (told(world.see(who=f"c-{n}"))[0], told(world.see(who=f"c-{n}"))[0]) for n in range(200)
    ]

    assert {first for first, _ in outcomes} == {"acted", "held_out"}
    assert {second for _, second in outcomes} == {"held_back:re_entry"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 10, 30, 60]), st.sampled_from("ab")), max_size=60),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_caps_are_never_exceeded_and_hold_nothing_back_needlessly(
    history: list[tuple[int, str]], at_most: int, by_email: int
) -> None:
    world = World()
    caps = [
        {"at_most": at_most, "within": "2m"},
        {"at_most": by_email, "within": "3m", "channel": "email"},
    ]
    world.settings(caps=caps)
    world.live("a", trigger={"event": "a"}, steps=[BOTH])
    world.live("b", trigger={"event": "b"})
    sent: list[tuple[datetime, str]] = []
    for after, event_type in history:
        [decision] = world.see(event_type, after=after * SECOND)

        def count(minutes: int, channels: str) -> int:
            since = world.at - timedelta(minutes=minutes)
            return sum(at > since and channel in channels for at, channel in sent)

        may = {"email": count(3, "email") < by_email, "inbox": True}
        wished = ("email", "inbox") if event_type == "a" else ("inbox",)
        is_full = count(2, "email inbox") >= at_most
        expected = () if is_full else tuple(each for each in wished if may[each])
        got = channels(decision) if decision.effects else ()
        assert got == expected
        if got:
            sent.append((world.at, got[0]))


def test_every_outcome_reason_and_bound_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "decisions.md").read_text("utf-8")
    lines = text.splitlines()

    assert [one for one in Outcome if f"\n| `{one.value}` |" not in text] == []
    assert [by for by, meaning in REASONS.items() if f"| `{by}` | {meaning} |" not in lines] == []
    for what, bound in BOUNDS.items():
        assert any(line.startswith(f"| {what}") and f"| {bound:,} |" in line for line in lines)
