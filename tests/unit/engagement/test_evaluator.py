"""What rules make of events: begun, waited, ended, measured."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.engagement.effects import MessageEffect, OfferEffect, RecordEffect
from app.engagement.events import Held
from app.engagement.instances import MAX_INSTANCES_BY_RULE
from app.engagement.state import CustomerState
from tests.unit.engagement.world import ANNA, BEGIN, HOUR, SECOND, SEND, World, told

DAY = timedelta(days=1)
NOTHING: list[str] = []


def wait(**fields: Any) -> dict[str, Any]:
    return {"do": "wait", **fields}


def test_a_trigger_whose_condition_holds_sends_and_says_what_it_saw() -> None:
    world = World()
    world.live(trigger={"event": "tick", "where": "event.data.amount > 5"})

    assert world.see(amount=5) == []
    [decision] = world.see(amount=6)

    made = decision.made
    assert told([decision]) == ["acted"]
    assert (made.rule, made.rule_version, made.step, made.at) == ("rule", 1, "pattern", world.at)
    assert made.inputs == {"event.data.amount": 6}
    [effect] = decision.effects
    assert isinstance(effect, MessageEffect)
    assert (effect.text, effect.channels, effect.not_before) == ("Hello", ("inbox",), None)
    assert made.did[0].stream == f"message-{effect.message_id}"
    assert world.state().is_empty


def test_an_absence_acts_when_nothing_has_come_and_is_quiet_when_it_has() -> None:
    world = World()
    pattern = {"is": "absence", "of": [{"event": "bought"}], "within": "24h"}
    world.live(pattern=pattern, trigger={"event": "tick", "key": "event.data.cart"})

    world.see(cart=1)
    world.see(cart=2)
    world.see("bought", cart=1)
    world.see("bought")  # of no cart

    assert world.due(DAY - 3 * SECOND) == []
    [decision] = world.due(SECOND)
    assert decision.made.at == BEGIN + 2 * SECOND + DAY
    assert decision.made.cause == decision.made.trigger
    assert world.state().is_empty


@pytest.mark.parametrize(("again", "due_after"), [("restart", 26), ("ignore", 24)])
def test_another_trigger_restarts_an_absence_or_is_ignored(again: str, due_after: int) -> None:
    world = World()
    of = [{"event": "bought"}]
    world.live(pattern={"is": "absence", "of": of, "within": "24h", "again": again})

    world.see(after=0 * HOUR)
    world.see(after=2 * HOUR)

    [decision] = world.due(100 * HOUR)
    assert decision.made.at == BEGIN + due_after * HOUR


def test_what_comes_just_when_an_absence_is_due_comes_too_late() -> None:
    world = World()
    world.live(pattern={"is": "absence", "of": [{"event": "bought"}], "within": "24h"})

    world.see()

    assert told(world.see("bought", after=DAY)) == ["acted"]


def test_a_count_acts_on_the_last_one_and_begins_anew() -> None:
    world = World()
    world.live(pattern={"is": "count", "at_least": 3, "within": "10m"})

    came = [told(world.see()) for _ in range(7)]

    assert came == [[], [], ["acted"], [], [], ["acted"], []]
    world.due(HOUR)
    assert world.state().is_empty


def test_a_sum_acts_when_it_is_over_its_limit_within_its_time() -> None:
    world = World()
    world.live(pattern={"is": "sum", "of": "event.data.amount", "over": 100, "within": "1h"})

    assert world.see(amount=60) == []
    assert world.see(amount=41, after=HOUR) == []
    assert told(world.see(amount=60)) == ["acted"]
    assert told(world.see(amount=1.5)) == ["failed:failed"]


def test_a_sequence_acts_when_the_second_follows_in_time() -> None:
    world = World()
    world.live(pattern={"is": "sequence", "then": {"event": "clicked"}, "within": "1h"})

    world.see()
    assert world.see("clicked", after=HOUR) == []
    world.see()
    world.see(after=59 * 60 * SECOND)
    [decision] = world.see("clicked", after=2 * 60 * SECOND)
    assert decision.made.cause != decision.made.trigger
    assert world.see("clicked") == []


def test_a_wait_ends_at_its_time_and_what_follows_knows_the_trigger() -> None:
    world = World()
    send = {**SEND, "parameters": {"cart": "trigger.data.cart"}}
    world.live(steps=[wait(time="2h"), send])

    assert told(world.see(cart="c-1")) == ["waiting"]
    [decision] = world.due(3 * HOUR)

    assert decision.made.step == "0"
    assert decision.made.at == BEGIN + SECOND + 2 * HOUR
    [effect] = decision.effects
    assert isinstance(effect, MessageEffect)
    assert effect.parameters == {"cart": "c-1"}


def test_a_wait_for_a_local_time_goes_by_the_customers_clock() -> None:
    world = World()
    world.profile(traits={"time_zone": "Asia/Tokyo"})
    world.live(steps=[wait(local_time="18:00"), SEND])

    world.see()
    [decision] = world.due(2 * DAY)

    assert decision.made.at.isoformat() == "2026-03-03T09:00:00+00:00"


@pytest.mark.parametrize(("otherwise", "outcome"), [("end", "ended:not_come"), ("go_on", "acted")])
def test_a_wait_for_an_event_goes_on_with_it_or_as_it_says(otherwise: str, outcome: str) -> None:
    world = World()
    event = {"event": "clicked", "where": "event.data.ok == true"}
    world.live(steps=[wait(event=event, at_most="1h", otherwise=otherwise), SEND])

    world.see()
    assert world.see("clicked", ok=False) == []
    assert told(world.see("clicked", ok=True)) == ["acted"]
    world.see()
    assert told(world.due(HOUR)) == [outcome]


def test_a_branch_goes_one_way_and_on_with_what_follows() -> None:
    world = World()
    record = {"do": "record", "type": "Noted", "data": {"amount": "event.data.amount"}}
    branch = {
        "do": "branch",
        "condition": "event.data.amount > 5",
        "then": [wait(time="1h"), {**SEND, "id": "large"}],
        "otherwise": [{"do": "end"}],
    }
    world.live(steps=[branch, record | {"data": {"amount": "trigger.data.amount"}}])

    assert told(world.see(amount=1)) == ["ended:end"]
    assert told(world.see(amount=9)) == ["waiting"]
    [decision] = world.due(HOUR)
    assert decision.made.step == "0.then.0"
    assert [did.what for did in decision.made.did] == ["send", "record"]
    effect = decision.effects[1]
    assert isinstance(effect, RecordEffect)
    assert effect.data == {"amount": 9}


def test_what_runs_is_not_begun_again_for_the_same_key() -> None:
    world = World()
    world.live(steps=[wait(time="1h"), SEND])

    assert told(world.see()) == ["waiting"]
    assert told(world.see()) == ["held_back:running"]


def test_a_goal_ends_what_runs_and_is_noted_for_those_held_out_as_well() -> None:
    world = World()
    goal = {"event": "bought", "within": "1d"}
    world.live("sends", goal=goal)
    world.live("waits", goal=goal, steps=[wait(time="1h"), SEND])
    world.live("tests", goal=goal, holdout=100)

    assert told(world.see()) == ["acted", "held_out", "waiting"]
    decisions = world.see("bought")

    reached = {one.made.rule: one.made.held[0].detail for one in decisions}
    assert reached == {"sends": "acted", "waits": "not_acted", "tests": "held_out"}
    assert {one.made.step for one in decisions} == {"goal"}
    assert world.state().is_empty
    world.see()
    assert told(world.due(2 * DAY)) == ["acted"]
    assert world.see("bought") == []


def test_what_cannot_be_evaluated_fails_alone() -> None:
    world = World()
    world.live("a", trigger={"event": "tick", "where": "fails"})
    world.live("b", steps=[{**SEND, "parameters": {"x": "fails"}}])
    world.live("c")

    assert told(world.see()) == ["failed:failed", "failed:failed", "acted"]
    assert world.state().is_empty


def test_an_offer_is_issued_with_the_message_that_tells_of_it() -> None:
    world = World()
    offer = {"do": "offer", "offer": "sorry", "expires_in": "7d", "per_customer": 1}
    world.live(steps=[offer, {**SEND, "parameters": {"code": "offer.code"}}])
    world.settings(caps=[{"at_most": 1, "within": "1h"}])

    [decision] = world.see()
    issued, sent = decision.effects
    assert isinstance(issued, OfferEffect)
    assert isinstance(sent, MessageEffect)
    assert sent.parameters == {"code": f"code-{issued.offer_id}"}
    assert "code" not in str(decision.made.inputs)
    assert told(world.see()) == ["held_back:offer_limit"]
    assert told(world.see(who="bert")) == ["acted"]
    assert world.totals.offers == {"sorry": 2}


def test_an_offer_that_nobody_would_be_told_of_is_not_issued() -> None:
    world = World()
    offer = {"do": "offer", "offer": "sorry", "expires_in": "7d"}
    world.live(steps=[offer, SEND])
    world.profile(suppressed=frozenset({"inbox"}))

    assert told(world.see()) == ["held_back:suppressed:not_sent"]
    assert world.totals.offers == {}


def test_a_customer_keeps_no_more_instances_of_a_rule_than_allowed() -> None:
    world = World()
    world.live(trigger={"event": "tick", "key": "event.data.n"}, steps=[wait(time="1h"), SEND])

    decisions = [told(world.see(n=n, after=timedelta(0))) for n in range(MAX_INSTANCES_BY_RULE + 1)]

    assert decisions[-1] == ["waiting", "ended:too_many"]
    assert len(world.state().instances) == MAX_INSTANCES_BY_RULE


def test_an_erased_customer_is_decided_nothing_on_and_forgotten() -> None:
    world = World()
    world.live(steps=[wait(time="1h"), SEND])
    world.see()

    world.profile(is_erased=True)

    assert world.due(HOUR) == []
    assert world.see() == []
    assert world.state().is_empty


def test_rules_go_by_priority_then_by_name() -> None:
    world = World()
    for name, priority in (("c", "normal"), ("b", "low"), ("a", "low"), ("d", "critical")):
        world.live(name, priority=priority)

    assert [one.made.rule for one in world.see()] == ["d", "c", "a", "b"]


def test_state_outlives_json() -> None:
    world = World()
    world.live("a", steps=[wait(time="1h"), {**SEND, "parameters": {"at": "trigger.at"}}])
    world.live("b", pattern={"is": "sum", "of": "event.data.n", "over": 2**62, "within": "1h"})
    world.settings(caps=[{"at_most": 5, "within": "1d"}])
    world.see(n=2**62)

    encoded = msgspec.json.encode(world.state())
    decoded = msgspec.json.decode(encoded, type=CustomerState)

    assert decoded == world.state()
    world.states[ANNA] = decoded
    assert told(world.due(HOUR)) == ["acted"]


def test_an_end_says_why_when_nothing_was_done() -> None:
    world = World()
    steps = [
        {"do": "branch", "condition": "trigger.data.sent == true", "then": [SEND]},
        {"do": "end", "because": "there is no need"},
    ]
    world.live(steps=steps)
    [decision] = world.see(sent=False)
    assert decision.made.held == [Held("end", "there is no need")]
    assert told(world.see(sent=True)) == ["acted"]
