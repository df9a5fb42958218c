"""The engine decides on each event once, by the rules of its place in the log, and on time."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import uuid4

import msgspec
import pytest

from app.engagement import engine
from app.eventstore.database import Database
from app.kernel.policy import MAX_CHAIN
from app.modules.customers.decider import CUSTOMER, ChangeTraits, LinkIdentity
from app.modules.suppressions.decider import SUPPRESSION, Suppress
from app.modules.suppressions.events import Reason
from app.reactions.status import reactions_status
from tests.integration.conftest import on_one_server
from tests.integration.engagement.stage import SEND, Stage, stage_on
from tests.integration.erasing import erase
from tests.integration.eventstore.sessions import session, waiting_for_the_lock
from tests.integration.reactions.stage import metadata_of

pytestmark = [pytest.mark.anyio, on_one_server]

ABSENCE = {"is": "absence", "of": [{"event": "tock"}], "within": "1h"}
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def test_what_a_rule_decides_is_recorded_once_with_what_is_done_and_its_causes(
    stage: Stage,
) -> None:
    await stage.live(trigger={"event": "tick", "where": "event.data.amount > 5"})
    async with stage.deciding(), stage.deciding():
        await stage.happen(amount=3)
        await stage.happen(amount=7)
        [message] = await stage.until("message.requested")
    [decision] = await stage.events("decision.made")
    [_, tick] = await stage.events("tick")
    assert await stage.told() == ["acted"]
    assert (decision.customer_id, message.customer_id) == ("anna", "anna")
    assert metadata_of(decision).causation_id == str(tick.event_id)
    assert metadata_of(message).causation_id == str(decision.event_id)
    assert metadata_of(message).actor == "rule:rule"
    assert {metadata_of(each).correlation_id for each in (decision, message)} == {"c-1"}


async def test_what_falls_due_is_decided_on_when_nothing_comes_and_not_before(
    stage: Stage,
) -> None:
    await stage.live(pattern=ABSENCE)
    async with stage.deciding():
        await stage.happen()
        await stage.settled()
        await stage.pass_time(HOUR - MINUTE)
        await asyncio.sleep(0.6)
        assert await stage.told() == []
        await stage.pass_time(2 * MINUTE)
        assert await stage.until_told(1) == ["acted"]
    [tick] = await stage.events("tick")
    [made] = await stage.decisions()
    assert made.at == tick.recorded_at + HOUR
    assert await stage.states() == {}
    assert await stage.replayed() == await stage.recorded()


async def test_what_fell_due_before_an_event_is_decided_on_before_it(stage: Stage) -> None:
    await stage.live(pattern=ABSENCE)
    await stage.happen()
    await stage.pass_time(2 * HOUR)
    await stage.happen("tock")
    await stage.decided()
    assert await stage.told() == ["acted"]


async def test_nothing_is_done_that_the_next_event_might_come_before_as_the_clock_goes_back(
    stage: Stage,
) -> None:
    await stage.live(pattern=ABSENCE)
    await stage.happen()
    await stage.decided()
    with session(stage.database, autocommit=False) as others:
        others.execute("SELECT pg_advisory_xact_lock(log_lock_key())")
        async with stage.deciding():
            await stage.pass_time(2 * HOUR)
            await stage.until_true(partial(_waits_for_the_log, stage))
            await stage.pass_time(-2 * HOUR)
            others.commit()
            await stage.happen("tock")
            await stage.settled()
    assert await stage.told() == []
    assert await stage.states() == {}
    await stage.pass_time(2 * HOUR)
    assert await stage.replayed() == {}


async def _waits_for_the_log(stage: Stage) -> bool:
    return waiting_for_the_lock(stage.database) > 0


async def test_of_much_that_is_due_nothing_is_done_before_what_was_recorded_before_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.live(pattern=ABSENCE)
    for who in ("anna", "bert", "carl", "dora"):
        await stage.happen("tick", who)
        await stage.pass_time(MINUTE)
    await stage.decided()
    await stage.happen("tock", "anna")
    await stage.pass_time(HOUR)
    await stage.happen("tock", "dora")
    await stage.pause()
    await stage.resume()
    monkeypatch.setattr(engine, "MAX_DUE_AT_ONCE", 2)
    await stage.decided()
    decided = [event.customer_id for event in await stage.events("decision.made")]
    assert decided == ["bert", "carl", "dora"]
    assert await stage.replayed() == await stage.recorded()


async def test_a_change_of_rules_holds_for_what_comes_behind_it_and_nothing_before(
    stage: Stage,
) -> None:
    await stage.happen("tick", "before")
    await stage.live()
    await stage.happen("tick", "live")
    await stage.live("other", trigger={"event": "tock"})
    await stage.happen("tock", "other")
    await stage.pause()
    await stage.happen("tick", "paused")
    await stage.resume()
    await stage.live(trigger={"event": "tock"})
    await stage.happen("tock", "both")
    await stage.happen("tick", "changed")
    await stage.retire()
    await stage.happen("tock", "retired")
    await stage.decided()
    decided = [event.customer_id for event in await stage.events("decision.made")]
    assert decided == ["live", "other", "both", "both", "retired"]
    assert await stage.replayed() == await stage.recorded()


@pytest.mark.parametrize(("fires", "outcome"), [(True, "acted"), (False, "ended:overdue")])
async def test_what_falls_due_while_a_rule_is_paused_waits_until_it_is_resumed(
    stage: Stage, fires: bool, outcome: str
) -> None:
    wait = [{"do": "wait", "time": "1h"}, SEND]
    await stage.live(steps=wait)
    await stage.live("other", trigger={"event": "tock"}, steps=wait)
    async with stage.deciding():
        await stage.happen("tick", "anna")
        await stage.happen("tick", "bert")
        await stage.happen("tock", "carl")
        await stage.until_told(3)
        await stage.pause()
        await stage.pass_time(2 * HOUR)
        await stage.until_told(4)  # of the other rule
        rows = "SELECT count(*) FROM engagement_states WHERE held <> '{}' AND due_at IS NULL"
        assert await stage.rows(rows) == [(2,)]
        await stage.resume(fire_overdue=fires)
        told = await stage.until_told(6)
    assert told == [*(["waiting"] * 3), "acted", outcome, outcome]
    assert await stage.states() == {} or not fires
    assert await stage.replayed() == await stage.recorded()


async def test_what_was_before_the_first_engine_is_of_no_consequence(database: Database) -> None:
    async with stage_on(database) as stage:
        await stage.live()
        await stage.happen("tick", "old")
        async with stage.deciding():
            await stage.until_true(stage.has_begun)
            await stage.happen("tick", "new")
            await stage.until_told(1)
        [decision] = await stage.events("decision.made")
    assert decision.customer_id == "new"


async def test_a_profile_is_the_customers_at_the_place_of_the_event(stage: Stage) -> None:
    await stage.live(trigger={"event": "tick", "where": 'profile.traits.tier == "gold"'})
    await stage.send(CUSTOMER, "anna", ChangeTraits({"tier": "gold"}))
    await stage.happen("tick", "anna", n=1)
    await stage.send(CUSTOMER, "anna", ChangeTraits({"tier": "tin"}))
    await stage.happen("tick", "anna", n=2)
    await stage.decided()
    await stage.send(CUSTOMER, "anna", ChangeTraits({"tier": "gold"}))
    await stage.send(SUPPRESSION, "anna", Suppress("inbox", Reason.ASKED))
    await stage.happen("tick", "anna", n=3)
    await stage.decided()
    assert await stage.told() == ["acted", "held_back:suppressed"]


async def test_rules_see_what_the_engine_records_and_a_chain_without_an_end_is_cut(
    stage: Stage,
) -> None:
    again = [{"do": "record", "type": "tick", "data": {"n": "trigger.data.n + 1"}}]
    await stage.live(steps=again)
    await stage.live("goal", trigger={"event": "message.requested"}, steps=[{"do": "end"}])
    await stage.live("sends", trigger={"event": "tick", "where": "event.data.n == 3"})
    async with stage.deciding():
        await stage.happen(n=0)
        [refused, *_] = await stage.until("reaction.refused", 1)
    ticks = await stage.events("tick")
    assert [msgspec.json.decode(tick.data)["n"] for tick in ticks] == list(range(MAX_CHAIN + 1))
    assert msgspec.json.decode(refused.data)["reason"] == "chain-too-long"
    assert metadata_of(ticks[1]).source == "rule:rule"
    assert [made.rule for made in await stage.decisions()].count("goal") == 1


async def test_a_command_that_is_refused_is_noted_and_the_rest_is_done(stage: Stage) -> None:
    flag = {
        "do": "command",
        "command": "transactions/flag",
        "id": "trigger.data.id",
        "fields": {"score": "trigger.data.score", "reason": '"velocity"'},
    }
    await stage.live(steps=[flag, SEND])
    async with stage.deciding():
        await stage.happen(id="none", score=80)
        await stage.happen(id="none", score=800)
        await stage.until("message.requested", 2)
    refused = [msgspec.json.decode(e.data) for e in await stage.events("reaction.refused")]
    assert [each["reason"] for each in refused] == ["no-such-transaction", "not-callable"]
    assert {each["policy"] for each in refused} == {"rule:rule"}


async def test_offers_are_counted_in_one_place_and_told_of(stage: Stage) -> None:
    offer = {"do": "offer", "offer": "ten", "expires_in": "7d", "in_total": 2}
    tell = {**SEND, "parameters": {"code": "offer.code"}, "text": None, "template": "offer"}
    await stage.live(steps=[offer, tell])
    for number in range(4):
        await stage.happen("tick", f"c-{number}")
        if number % 2:
            await stage.decided()
    assert await stage.told() == [*(["acted"] * 2), *(["held_back:offer_total"] * 2)]
    [first, _] = await stage.events("offer.issued")
    [message, _] = await stage.events("message.requested")
    code = msgspec.json.decode(first.data)["code"]
    assert msgspec.json.decode(message.data)["parameters"] == {"code": code}
    assert await stage.replayed() == await stage.recorded()


async def test_of_the_erased_nothing_is_kept_and_nothing_is_decided(stage: Stage) -> None:
    await stage.live(pattern=ABSENCE)
    await stage.rows("CREATE TABLE test_keys (customer_id text)")
    visitor = uuid4()  # that anna turned out to be
    await stage.send(CUSTOMER, "anna", LinkIdentity(visitor, "anonymous"))
    await stage.rows(f"INSERT INTO identities VALUES ('{visitor}', 'anonymous', '', '~visitor')")
    async with stage.deciding():
        for who in ("anna", "~visitor", "bert"):
            await stage.happen("tick", who)
        await stage.settled()
        assert len(await stage.states()) == 3
        await erase(stage.store, "anna")
        await stage.settled()
        assert list(await stage.states()) == ["customer/bert"]
        await stage.pass_time(2 * HOUR)
        await stage.until_told(1)
    [decision] = await stage.events("decision.made")
    assert decision.customer_id == "bert"


async def test_engines_that_begin_anew_all_the_time_decide_as_one_that_remembers(
    stage: Stage,
) -> None:
    count = {"is": "count", "at_least": 3, "within": "2h"}
    await stage.live(pattern=count)
    await stage.live("absence", pattern=ABSENCE)
    for number in range(12):
        await stage.happen("tick" if number % 5 else "tock", f"c-{number % 2}")
        await stage.pass_time(timedelta(minutes=7 * number))
        if number % 3:
            await stage.decided()
    async with stage.deciding():
        await stage.pass_time(2 * HOUR)
        expected = await stage.replayed()
        await stage.until_told(len(expected))
        await stage.settled()
    assert len(expected) > 4
    assert await stage.recorded() == expected


async def test_a_customer_who_cannot_be_decided_on_is_parked_and_taken_up_again(
    stage: Stage,
) -> None:
    await stage.live(pattern=ABSENCE)
    await stage.happen("tick", "carl")
    await stage.happen("tick", "anna")
    await stage.decided()
    spoil = "UPDATE engagement_states SET state = jsonb_set(state, '{{instances}}', '{}')"
    one = "WHERE key = 'customer/carl'"
    [(state,)] = await stage.rows(f"SELECT state::text FROM engagement_states {one}")
    await stage.rows(f"{spoil.format('7')} {one}")
    async with stage.deciding():
        await stage.happen("tick", "bert")
        await stage.happen("tick", "carl")
        await stage.pass_time(2 * HOUR)
        await stage.until_told(2)
        [(key, error)] = await stage.rows("SELECT key, error FROM parked_keys")
        assert key == "carl"
        assert error.startswith("ValidationError: ")
        [(_, still)] = await stage.retry_parked("carl")
        assert still is not None
        await stage.rows(f"UPDATE engagement_states SET state = '{state}' {one}")
        assert await stage.retry_parked("carl") == [("carl", None)]
        await stage.until_told(3)
    whose = {event.customer_id for event in await stage.events("decision.made")}
    assert whose == {"anna", "bert", "carl"}


async def test_its_place_is_shown_with_reactions(stage: Stage) -> None:
    await stage.happen()
    await stage.decided()
    async with await stage.database.connect() as connection:
        status = await reactions_status(connection)
    assert status.engagement is not None
    assert (status.engagement.position, status.engagement.lag_events) == (1, 0)


async def test_what_the_log_cannot_hold_is_a_failure_of_its_rule_alone(stage: Stage) -> None:
    odd = [{"do": "record", "type": "odd", "data": {"text": r'"\u0000"'}}]
    await stage.live(steps=odd)
    await stage.live("other")
    async with stage.deciding():
        await stage.happen()
        assert sorted(await stage.until_told(2)) == ["acted", "failed:failed"]
    assert await stage.parked() == []


async def test_an_event_that_cannot_be_decided_on_is_parked_and_those_around_it_are_not(
    stage: Stage,
) -> None:
    await stage.live(pattern={"is": "count", "at_least": 2, "within": "1h"})
    for who in ("anna", "bert", "carl"):
        await stage.happen("tick", who)
    await stage.decided()
    one = "WHERE key = 'customer/bert'"
    begun = "'{instances,0,seen,0,0}', '\"2026-01-01T00:00:00\"'"
    [(state,)] = await stage.rows(f"SELECT state::text FROM engagement_states {one}")
    await stage.rows(f"UPDATE engagement_states SET state = jsonb_set(state, {begun}) {one}")
    for who in ("anna", "bert", "carl"):
        await stage.happen("tick", who)
    await stage.decided()
    [_, _, _, _, second, _] = await stage.events("tick")
    assert await stage.parked() == [("bert", second.position)]
    assert await stage.told() == ["acted", "acted"]
    await stage.rows(f"UPDATE engagement_states SET state = '{state}' {one}")
    assert await stage.retry_parked() == [("bert", None)]
    assert await stage.told() == ["acted"] * 3
    assert await stage.replayed() == await stage.recorded()
