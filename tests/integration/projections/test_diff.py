"""What changed of a customer between two moments."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.kernel.errors import InvalidInput, NotFound, PositionBeyondHead
from app.modules.customers.events import (
    ConsentRecorded,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
)
from projections.as_of import Moment
from projections.customers.queries import Customers
from projections.diff.queries import MAX_ENTRIES, Diffs
from projections.timeline.queries import Timelines
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import known_visitor

pytestmark = pytest.mark.anyio


async def diff(stage: Stage, customer_id: str, since: Moment, until: Moment) -> Any:
    """As it is answered."""
    diffs = Diffs(stage.past, Customers(stage.models), Timelines(stage.models, CATALOGUE))
    found = await diffs.between(customer_id, since, until)
    return msgspec.json.decode(msgspec.json.encode(found))


def positions(found: Any) -> list[int]:
    return [entry["position"] for entry in found["entries"]]


@pytest.fixture
async def story(stage: Stage) -> Stage:
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        of_customer("ann", CustomerRegistered({"plan": "free", "old": 1})),
        sent("ann", minutes=1),
        sent("~v1", minutes=-9),
        of_customer("ann", CustomerTraitsChanged({"plan": "pro", "old": None}), minutes=2),
        of_customer("ann", ConsentRecorded("email", "news"), minutes=3),
        sent("ben"),
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=4),
        sent("~v1", minutes=-5),
    )
    return stage


async def test_a_diff_tells_changes_and_what_was_recorded_between(story: Stage) -> None:
    found = await diff(story, "ann", 2, 5)
    assert (found["from"], found["to"], found["has_more_entries"]) == (2, 5, False)
    assert positions(found) == [5, 4]
    changed = {change.pop("path"): change for change in found["changes"]}
    assert changed.pop("consents.email.news").keys() == {"after"}
    assert changed == {
        "version": {"before": 1, "after": 3},
        "traits.plan": {"before": "free", "after": "pro"},
        "traits.old": {"before": 1},
    }


async def test_who_turned_out_to_be_a_visitor_has_its_visits(story: Stage) -> None:
    found = await diff(story, "ann", 6, 8)
    assert positions(found) == [7, 8]
    changed = {change["path"].split(".")[0]: change for change in found["changes"]}
    assert changed.keys() == {"version", "first_seen", "events", "identities"}
    assert (changed["events"]["before"], changed["events"]["after"]) == (1, 3)


async def test_between_a_moment_and_itself_nothing_changed(story: Stage) -> None:
    found = await diff(story, "ann", 4, 4)
    assert (found["changes"], found["entries"]) == ([], [])


async def test_of_a_customer_that_was_not_known_everything_is_new(story: Stage) -> None:
    found = await diff(story, "ben", 5, 6)
    assert positions(found) == [6]
    assert all(change.keys() == {"path", "after"} for change in found["changes"])
    assert found["changes"][0] == {"path": "version", "after": 0}
    with pytest.raises(NotFound):
        await diff(story, "ben", 0, 5)


async def test_times_and_positions_go_together(story: Stage) -> None:
    log = await story.store.read_log(after=0, limit=9)
    first, last = log[0].recorded_at, log[-1].recorded_at
    before = first - timedelta(microseconds=1)
    found = await diff(story, "ann", before, last)
    assert (found["from"], found["to"]) == (0, 8)
    assert found == await diff(story, "ann", 0, last) == await diff(story, "ann", before, 8)


async def test_moments_the_wrong_way_round_are_refused(story: Stage) -> None:
    [first] = await story.store.read_log(after=0, limit=1)
    much_earlier = first.recorded_at - timedelta(days=2)
    backwards: list[tuple[Moment, Moment]] = [
        (3, 2),
        (1, much_earlier),
        (much_earlier + timedelta(days=1), much_earlier),  # nothing was recorded between
    ]
    for since, until in backwards:
        with pytest.raises(InvalidInput) as refused:
            await diff(story, "ann", since, until)
        assert refused.value.field == "from"


async def test_a_position_beyond_the_head_is_refused_by_its_name(story: Stage) -> None:
    for since, until, field in ((9, 9, "from"), (1, 9, "to")):
        with pytest.raises(PositionBeyondHead) as refused:
            await diff(story, "ann", since, until)
        assert refused.value.field == field


async def test_a_long_stretch_is_answered_in_part_and_says_so(stage: Stage) -> None:
    head = await stage.record(*(sent("ann", minutes=n) for n in range(MAX_ENTRIES + 2)))
    found = await diff(stage, "ann", 1, head)
    assert positions(found) == list(range(head, 2, -1))[:MAX_ENTRIES]
    assert found["has_more_entries"]
    assert not (await diff(stage, "ann", 2, head))["has_more_entries"]
