"""Why something happened is told back to its begin; why a rule did nothing, by the past."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from app.catalogue import CODEC
from app.engagement.why import Explaining, WhyNot
from app.kernel.cipher import as_stored
from app.kernel.errors import NotFound
from app.modules.suppressions.decider import SUPPRESSION, Suppress
from app.modules.suppressions.events import Reason
from tests.integration.conftest import on_one_server
from tests.integration.engagement.stage import Stage

pytestmark = [pytest.mark.anyio, on_one_server]

HOUR = timedelta(hours=1)


async def why_not(stage: Stage, who: str = "anna", **asked: Any) -> WhyNot:
    return await Explaining(stage.store, CODEC).why_not("rule", who, as_stored, **asked)


async def test_a_message_is_explained_back_to_the_event_that_began_it(stage: Stage) -> None:
    await stage.live(trigger={"event": "tick", "where": "event.data.amount > 5"})
    await stage.happen(amount=7)
    await stage.decided()
    [message] = await stage.events("message.requested")
    why = await Explaining(stage.store, CODEC).why(message.event_id, as_stored)
    assert [link.event.type for link in why.chain] == [
        "message.requested",
        "decision.made",
        "tick",
    ]
    assert [link.actor for link in why.chain] == ["rule:rule", "rule:rule", None]
    assert (why.request_id, why.correlation_id, why.is_whole) == ("r-1", "c-1", True)
    made = msgspec.json.decode(why.chain[1].event.data)
    assert made["inputs"] == {"event.data.amount": 7}
    with pytest.raises(NotFound):
        await Explaining(stage.store, CODEC).why(uuid4(), as_stored)


async def test_a_condition_that_did_not_hold_shows_what_it_saw(stage: Stage) -> None:
    await stage.live(trigger={"event": "tick", "where": "event.data.amount > 5"})
    await stage.happen(amount=3)
    told = await why_not(stage)
    assert (told.reason.value, told.status, told.rule_version) == ("condition", "live", 1)
    [attempt] = told.attempts
    assert (attempt.held, bytes(attempt.saw)) == (False, b'{"event.data.amount":3}')
    await stage.happen(price=3)
    told = await why_not(stage)
    assert (told.reason.value, told.attempts[-1].held) == ("condition", None)
    assert told.attempts[-1].error


async def test_what_was_not_live_not_triggered_or_not_there_is_told_apart(stage: Stage) -> None:
    await stage.happen("tock")
    with pytest.raises(NotFound):
        await why_not(stage)
    before = await stage.store.now()
    await stage.live()
    assert (await why_not(stage)).reason.value == "no_trigger"
    assert (await why_not(stage, "nobody")).reason.value == "no_customer"
    await stage.pause()
    told = await why_not(stage)
    assert (told.reason.value, told.status) == ("not_live", "paused")
    with pytest.raises(NotFound):
        await why_not(stage, at=before)


async def test_a_pattern_that_is_not_complete_tells_what_is_missing_and_until_when(
    stage: Stage,
) -> None:
    await stage.live(pattern={"is": "count", "at_least": 3, "within": "2h"})
    await stage.happen()
    await stage.happen()
    told = await why_not(stage)
    assert (told.reason.value, told.explanation) == ("pattern", "2 of 3 have come within 2h")
    [first, _] = await stage.events("tick")
    [begun] = told.begun
    assert begun.until is not None
    assert begun.until >= first.recorded_at + 2 * HOUR
    await stage.pass_time(3 * HOUR)
    over = await why_not(stage)
    assert (over.reason.value, over.begun) == ("pattern", [])


async def test_what_held_it_back_is_told_as_it_was_decided(stage: Stage) -> None:
    await stage.live()
    await stage.send(SUPPRESSION, "anna", Suppress("inbox", Reason.ASKED))
    await stage.happen()
    told = await why_not(stage)
    assert (told.reason.value, told.decisions[0].event_id) == ("decided", None)
    assert told.explanation == "it was decided: held_back (suppressed: inbox)"
    await stage.decided()
    [decision] = await stage.events("decision.made")
    assert (await why_not(stage)).decisions[0].event_id == decision.event_id
