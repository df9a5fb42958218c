"""Ready-made rules about support, rides and films: each acts, and its exceptions keep it quiet,
with the reason.
"""

from datetime import timedelta
from typing import Any

import pytest

from app.engagement.effects import Decision
from app.engagement.events import Held, Outcome
from tests.unit.engagement.ready_made_world import DAY, MINUTE, called, offered, sent, world_with
from tests.unit.engagement.world import ANNA, HOUR, SECOND, World, told

# Support burst


def ask(world: World, number: int, **changes: Any) -> list[Decision]:
    asked = {"is_automatic": False, "channel": "email", **changes}
    return world.see("support.question_opened", HOUR, thing_id=f"q-{number}", **asked)


def test_the_third_question_of_a_day_opens_one_for_all_of_them() -> None:
    world = world_with("support-burst")
    assert (ask(world, 1), ask(world, 2)) == ([], [])
    [decision] = ask(world, 3)
    assert called(decision) == [("questions/open", "burst-q-3")]
    assert [message.kind for message in sent(decision)] == ["support-care"]


def test_machines_and_our_own_questions_make_no_burst_and_one_a_week_is_enough() -> None:
    world = world_with("support-burst")
    for number in range(4):
        assert ask(world, number, is_automatic=True) == ask(world, number, channel="rule") == []
    decisions = [each for number in range(6) for each in ask(world, number)]
    assert told(decisions) == ["acted", "held_back:re_entry"]


# Ride updates


def ride(world: World, event: str, after: timedelta = MINUTE) -> list[Decision]:
    return world.see(f"ride.{event}", after, thing_id="r-1", driver_id="d-1", round=1)


def test_a_rider_who_waits_for_long_is_told_so_and_asked_afterwards() -> None:
    world = world_with("ride-updates")
    world.settings(quiet_hours={"begin": "00:00", "end": "23:59"})
    assert ride(world, "claimed") == []
    [late] = world.due(10 * MINUTE)
    ride(world, "driver_arriving")
    [afterwards] = ride(world, "completed")
    assert [message.kind for each in (late, afterwards) for message in sent(each)] == [
        "ride-updates", "ride-updates",
    ]  # fmt: skip


@pytest.mark.parametrize("event", ["driver_arriving", "driver_withdrew", "started", "cancelled"])
def test_a_rider_whose_driver_comes_or_who_does_not_wait_any_more_is_told_nothing(
    event: str,
) -> None:
    world = world_with("ride-updates")
    ride(world, "claimed")
    ride(world, event)
    assert world.due(DAY) == []


def test_nobody_is_asked_about_a_ride_that_did_not_take_place() -> None:
    world = world_with("ride-updates")
    ride(world, "claimed")
    assert told(world.due(10 * MINUTE)) == ["acted"]
    ride(world, "cancelled")
    assert world.due(DAY) == []


# Unfinished episode


def pause(
    world: World, progress_s: int = 1_000, length_s: int | None = 2_000, title: str = "dune"
) -> list[Decision]:
    data: dict[str, Any] = {"title_id": title, "progress_s": progress_s, "length_s": length_s}
    return world.see("playback.paused", HOUR, **data)


VIEWER = ("inbox", "reminders")


@pytest.mark.parametrize("length_s", [2_000, None])
def test_who_does_not_come_back_to_a_title_for_a_day_is_reminded(length_s: int | None) -> None:
    world = world_with("unfinished-episode", VIEWER)
    assert pause(world, length_s=length_s) == []
    [decision] = world.due(DAY)
    [message] = sent(decision)
    assert dict(message.parameters) == {"title": "dune", "minutes": 16}


def test_who_has_watched_more_than_95_percent_is_not_reminded_and_it_says_why() -> None:
    world = world_with("unfinished-episode", VIEWER)
    pause(world, progress_s=1_901)
    [decision] = world.due(DAY)
    assert decision.made.outcome is Outcome.ENDED
    assert decision.made.held == [Held("end", "over 95 % watched")]
    assert decision.made.inputs["trigger.data.progress_s"] == 1_901
    pause(world, progress_s=1_900, title="alien")
    assert told(world.due(DAY)) == ["acted"]


@pytest.mark.parametrize("event", ["resumed", "progressed", "started", "finished"])
def test_who_comes_back_is_not_reminded(event: str) -> None:
    world = world_with("unfinished-episode", VIEWER)
    pause(world)
    world.see(f"playback.{event}", HOUR, title_id="another")
    world.see(f"playback.{event}", HOUR, title_id="dune")
    assert world.due(2 * DAY) == []


# Buffering apology


def wait_thrice(world: World, who: str = ANNA) -> list[Decision]:
    return [
        decision
        for _ in range(3)
        for decision in world.see("playback.buffered", SECOND, who, title_id="dune")
    ]


def test_who_has_to_wait_thrice_in_ten_minutes_gets_an_apology_with_a_discount() -> None:
    world = world_with("buffering-apology")
    [decision] = wait_thrice(world)
    assert offered(decision) == ["buffering-discount"]
    [message] = sent(decision)
    assert message.parameters["code"].startswith("code-")
    world.at += HOUR
    for _ in range(6):
        assert world.see("playback.buffered", 5 * MINUTE, title_id="dune") == []


def test_there_is_one_discount_in_a_billing_period() -> None:
    world = world_with("buffering-apology")
    assert told(wait_thrice(world)) == ["acted"]
    world.at += 31 * DAY + HOUR
    assert told(wait_thrice(world)) == ["held_back:offer_limit"]
    world.at += DAY
    assert told(wait_thrice(world)) == ["acted"]


def test_nobody_is_apologised_to_further_when_many_wait_at_once() -> None:
    world = world_with("buffering-apology")
    decisions = [each for n in range(25) for each in wait_thrice(world, f"viewer-{n}")]
    assert told(decisions) == ["acted"] * 20 + ["held_back:mass:not_sent"] * 5
