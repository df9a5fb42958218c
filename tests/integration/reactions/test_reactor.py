"""What policies want follows once, with its cause, whatever comes in between."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from msgspec import Raw

from app.eventstore.database import Database
from app.eventstore.port import Append, StreamAppend
from app.kernel.event import NewEvent
from app.kernel.ids import new_event_id
from app.kernel.policy import MAX_CHAIN
from app.reactions.status import MAX_COUNTED_TIMERS, TimersStatus, reactions_status
from tests.integration.reactions.parcels import (
    PARCEL,
    PATIENCE,
    Arrive,
    Collect,
    Shake,
)
from tests.integration.reactions.stage import Stage, metadata_of, stage_on

pytestmark = pytest.mark.anyio


async def test_what_follows_is_recorded_once_with_its_cause_on_the_customers_timeline(
    stage: Stage,
) -> None:
    async with stage.reacting(), stage.reacting():
        await stage.send(PARCEL, "p-1", Arrive("anna"))
        [requested] = await stage.until("message.requested")
    [arrived] = await stage.events("parcel.arrived")
    assert (requested.stream, requested.customer_id) == ("message-p-1", "anna")
    assert msgspec.json.decode(requested.data)["text"] == "Parcel p-1 waits for you"
    metadata = metadata_of(requested)
    assert metadata.causation_id == str(arrived.event_id)
    assert (metadata.correlation_id, metadata.request_id) == ("c-1", "r-1")
    assert (metadata.actor, metadata.depth) == ("policy:parcels", 1)


async def test_many_events_are_reacted_to_in_order_each_once(stage: Stage) -> None:
    async with stage.reacting(), stage.reacting():
        for number in range(60):
            await stage.send(PARCEL, f"p-{number}", Arrive("anna"))
        requested = await stage.until("message.requested", 60)
    assert [event.stream for event in requested] == [f"message-p-{n}" for n in range(60)]
    assert len(await stage.rows("SELECT key FROM timers")) == 60


async def test_what_was_before_the_first_reactor_is_of_no_consequence(database: Database) -> None:
    async with stage_on(database) as stage:
        await stage.send(PARCEL, "old", Arrive("anna"))
        async with stage.reacting():
            await stage.until_true(stage.has_begun)
            await stage.send(PARCEL, "new", Arrive("anna"))
            [requested] = await stage.until("message.requested")
    assert requested.stream == "message-new"


async def test_a_timer_fires_once_not_early_also_after_nobody_was_there(stage: Stage) -> None:
    async with stage.reacting():
        await stage.send(PARCEL, "p-1", Arrive("anna"))
        await stage.until("message.requested")
    [(key, due_at)] = await stage.rows("SELECT key, due_at FROM timers")
    [arrived] = await stage.events("parcel.arrived")
    assert (key, due_at) == ("return:p-1", arrived.recorded_at + PATIENCE)
    await stage.pass_time(PATIENCE - timedelta(minutes=1))
    async with stage.reacting(), stage.reacting():
        await asyncio.sleep(0.6)
        assert await stage.events("parcel.returned") == []
    await stage.pass_time(timedelta(minutes=2))
    async with stage.reacting(), stage.reacting():
        [returned] = await stage.until("parcel.returned")
    assert returned.customer_id == "anna"
    assert returned.recorded_at >= due_at
    assert metadata_of(returned).causation_id == str(arrived.event_id)
    assert await stage.rows("SELECT key FROM timers") == []


async def test_a_timer_that_is_cancelled_does_not_fire(stage: Stage) -> None:
    async with stage.reacting():
        await stage.send(PARCEL, "p-1", Arrive("anna"))
        await stage.until("message.requested")
        await stage.send(PARCEL, "p-1", Collect())
        await stage.settled()
        assert await stage.rows("SELECT key FROM timers") == []


async def test_what_is_refused_is_noted_and_nothing_else_suffers(stage: Stage) -> None:
    async with stage.reacting():
        await stage.send(PARCEL, "p-1", Arrive("anna"))
        await stage.until("message.requested")
        await stage.pass_time(PATIENCE)
        [refused] = await stage.until("reaction.refused")
    noted = msgspec.json.decode(refused.data)
    assert (noted["policy"], noted["command"], noted["reason"]) == ("parcels", "Collect", "gone")
    assert (noted["stream"], noted["detail"]) == ("parcel-p-1", "The parcel is gone.")


async def test_a_chain_without_an_end_is_cut(stage: Stage) -> None:
    async with stage.reacting():
        await stage.send(PARCEL, "p-1", Shake())
        [refused] = await stage.until("reaction.refused")
    assert msgspec.json.decode(refused.data)["reason"] == "chain-too-long"
    assert len(await stage.events("parcel.shaken")) == 1 + MAX_CHAIN


async def test_a_stream_that_others_change_meanwhile_is_decided_on_anew(stage: Stage) -> None:
    async with stage.reacting():
        shaking = [stage.send(PARCEL, f"p-{number % 6}", Shake()) for number in range(60)]
        await asyncio.gather(*shaking)
        await stage.until("reaction.refused", 60)
    [(shaken,)] = await stage.rows("SELECT count(*) FROM events WHERE type = 'parcel.shaken'")
    assert shaken == 60 * (1 + MAX_CHAIN)


async def test_an_event_of_newer_code_is_waited_before_and_what_precedes_it_followed(
    stage: Stage,
) -> None:
    newer = NewEvent(new_event_id(), "parcel.weighed", Raw(b"{}"), Raw(b"{}"), customer_id="anna")
    await stage.send(PARCEL, "p-1", Arrive("anna"))
    await stage.store.append(Append((StreamAppend("parcel-p-9", (newer,)),)))
    await stage.send(PARCEL, "p-2", Arrive("anna"))

    async def is_noted() -> bool:
        return (await stage.rows("SELECT last_error FROM checkpoints"))[0][0] is not None

    async with stage.reacting():
        await stage.until_true(is_noted)
    [(position, error)] = await stage.rows("SELECT position, last_error FROM checkpoints")
    assert (position, error) == (
        1,
        "the event at position 2 is newer than this code, which waits before it",
    )
    assert await stage.messages() == ["message-p-1"]


async def test_an_event_that_cannot_be_reacted_to_holds_up_its_own_customer_alone(
    stage: Stage,
) -> None:
    async with stage.reacting():
        await stage.send(PARCEL, "poison", Arrive("carl"))
        await stage.send(PARCEL, "p-2", Arrive("carl"))
        await stage.send(PARCEL, "p-3", Arrive("anna"))
        [requested] = await stage.until("message.requested")
    assert requested.stream == "message-p-3"
    [(key, error)] = await stage.rows("SELECT key, error FROM parked_keys")
    assert (key, error) == ("carl", "ZeroDivisionError: it is poisoned")


async def test_waiting_timers_are_counted_so_far_and_no_further(stage: Stage) -> None:
    await stage.rows(
        "INSERT INTO timers (key, due_at, next_try_at, category, thing_id, command, metadata,"
        " set_by, set_at) SELECT number, later, later, 'parcel', 'p-1', '{}', '{}',"
        f" gen_random_uuid(), now() FROM generate_series(1, {MAX_COUNTED_TIMERS + 5}) AS number,"
        " (SELECT now() + interval '1 day' AS later) AS tomorrow"
    )
    async with await stage.database.connect() as connection:
        status = await reactions_status(connection)
    assert status.timers == TimersStatus(MAX_COUNTED_TIMERS, 0, 0)
