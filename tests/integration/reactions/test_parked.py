"""What the reactor has parked comes back whole and in order, beside reactors that go on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from msgspec import Raw

from app.eventstore.batch import ShardKey, open_session
from app.eventstore.database import Connection
from app.eventstore.parking import resume
from app.eventstore.port import Append, StreamAppend
from app.kernel.errors import Contention, NotFound
from app.kernel.event import NewEvent
from app.kernel.ids import new_event_id
from app.kernel.policy import Effect, Happened, Policy, Send
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.reactions.parked import LOCKED_FOR_MS
from app.reactions.reactor import CONSUMER, Rules
from app.reactions.status import reactions_status
from tests.integration.reactions.parcels import (
    MENDED,
    PARCEL,
    PATIENCE,
    RULES,
    Arrive,
    Collect,
    ParcelArrived,
    Shake,
)
from tests.integration.reactions.stage import Stage

pytestmark = pytest.mark.anyio

POISONED = ("carl", "ZeroDivisionError: it is poisoned")


@pytest.fixture
async def poisoned(stage: Stage) -> Stage:
    """Nothing has followed from three parcels for carl, of which the second is poisonous; the first
    has come before, and something else of anna's in between.
    """
    async with stage.reacting():
        await stage.send(PARCEL, "p-1", Arrive("carl"))
        await stage.send(PARCEL, "poison", Arrive("carl"))
        await stage.send(PARCEL, "p-2", Arrive("anna"))
        await stage.send(PARCEL, "p-3", Arrive("carl"))
        await stage.until("message.requested", 2)
    assert await stage.messages() == ["message-p-1", "message-p-2"]
    return stage


class Meddling:
    """Seals nothing, but does something else so many times when it is asked to."""

    def __init__(self, meddle: Callable[[], Awaitable[Any]], times: int = 1) -> None:
        self._meddle = meddle
        self._left = times

    async def command(self, _customer_id: str | None, command: Any) -> Any:
        if self._left:
            self._left -= 1
            await self._meddle()
        return command


async def test_what_is_mended_follows_whole_in_order_once_and_new_events_as_ever(
    poisoned: Stage,
) -> None:
    async with poisoned.reacting():
        assert await poisoned.retry(MENDED) == [("carl", None)]
        assert await poisoned.parked() == []
        assert (await poisoned.messages())[2:] == ["message-poison", "message-p-3"]
        await poisoned.send(PARCEL, "p-4", Arrive("carl"))
        await poisoned.until("message.requested", 5)
        assert await poisoned.retry(MENDED) == []
    timers = await poisoned.rows("SELECT key FROM timers ORDER BY key")
    things = ["p-1", "p-2", "p-3", "p-4", "poison"]
    assert [key for (key,) in timers] == [f"return:{thing}" for thing in things]


async def test_what_fails_again_stays_parked(poisoned: Stage) -> None:
    before = await poisoned.parked()
    assert await poisoned.retry(RULES) == [POISONED]
    assert await poisoned.parked() == before
    assert len(await poisoned.messages()) == 2


async def test_what_comes_before_the_event_that_fails_follows(poisoned: Stage) -> None:
    """Two are poisonous, and the first is skipped: what is between them follows."""
    async with poisoned.reacting():
        await poisoned.send(PARCEL, "p-4", Arrive("carl"))
        await poisoned.send(PARCEL, "poison", Arrive("carl"))
        position = (await poisoned.events())[-1].position
        await poisoned.settled()
    assert await poisoned.retry(RULES, "carl", skip=True) == [POISONED]
    assert (await poisoned.messages())[2:] == ["message-p-3", "message-p-4"]
    assert await poisoned.parked() == [("carl", position)]


async def test_nothing_follows_from_an_event_that_is_skipped(poisoned: Stage) -> None:
    assert await poisoned.retry(RULES, "carl", skip=True) == [("carl", None)]
    assert await poisoned.parked() == []
    assert (await poisoned.messages())[2:] == ["message-p-3"]


async def test_what_newer_code_has_recorded_is_left_to_newer_code(poisoned: Stage) -> None:
    newer = NewEvent(new_event_id(), "parcel.weighed", Raw(b"{}"), Raw(b"{}"), customer_id="carl")
    appended = await poisoned.store.append(Append((StreamAppend("parcel-p-9", (newer,)),)))
    position = appended.events[0].position
    await poisoned.rows(f"UPDATE checkpoints SET position = {position}")
    [(_, error)] = await poisoned.retry(MENDED)
    assert error is not None
    assert error.startswith("UnknownEvent")
    assert await poisoned.parked() == [("carl", position)]
    assert (await poisoned.messages())[2:] == ["message-poison", "message-p-3"]


async def test_a_key_that_is_not_parked_is_not_found(poisoned: Stage) -> None:
    with pytest.raises(NotFound, match="the reactor has not parked 'anna'"):
        await poisoned.retry(RULES, "anna")


async def test_a_timer_that_should_have_fired_long_ago_fires(poisoned: Stage) -> None:
    await poisoned.pass_time(2 * PATIENCE)
    await poisoned.retry(MENDED)
    async with poisoned.reacting():
        returned = await poisoned.until("parcel.returned", 4)
    assert len(returned) == 4


async def test_a_timer_is_cancelled_by_what_was_left_out_as_well(poisoned: Stage) -> None:
    async with poisoned.reacting():
        await poisoned.send(PARCEL, "p-3", Collect())
        await poisoned.settled()
    await poisoned.retry(MENDED)
    timers = await poisoned.rows("SELECT key FROM timers ORDER BY key")
    assert [key for (key,) in timers] == ["return:p-1", "return:p-2", "return:poison"]


async def test_a_stream_that_others_change_meanwhile_is_decided_on_anew(poisoned: Stage) -> None:
    def request() -> Awaitable[int]:
        return poisoned.send(MESSAGE, "poison", RequestMessage("parcel", "somebody else's"))

    assert await poisoned.retry(MENDED, sealing=Meddling(request)) == [("carl", None)]
    assert (await poisoned.messages())[2:] == ["message-poison", "message-p-3"]
    assert await poisoned.parked() == []


async def test_streams_that_never_hold_still_are_no_fault_of_the_event(poisoned: Stage) -> None:
    def shake(happened: Happened[ParcelArrived]) -> Iterable[Effect]:
        yield Send(PARCEL, happened.thing_id, Shake())

    before = await poisoned.parked()
    shaking = Rules((Policy("parcels", {ParcelArrived: shake}),), (PARCEL,))
    busy = Meddling(lambda: poisoned.send(PARCEL, "poison", Shake()), times=1_000)
    with pytest.raises(Contention, match="Other writers were faster"):
        await poisoned.retry(shaking, sealing=busy)
    assert await poisoned.parked() == before


async def test_a_reactor_that_has_looked_before_a_key_came_back_looks_again(
    poisoned: Stage,
) -> None:
    """Else what came of that key in between would be left out for ever."""
    retried: list[tuple[str, str | None]] = []

    async def retry() -> None:
        retried.extend(await poisoned.retry(MENDED))

    await poisoned.send(PARCEL, "p-4", Arrive("carl"))
    await poisoned.send(PARCEL, "p-5", Arrive("anna"))
    async with poisoned.reacting(sealing=Meddling(retry)):
        await poisoned.until("message.requested", 6)
    assert retried == [("carl", None)]
    expected = ["message-poison", "message-p-3", "message-p-4", "message-p-5"]
    assert (await poisoned.messages())[2:] == expected


async def test_an_operator_who_stalls_holds_up_the_log_for_no_longer_than_a_second(
    poisoned: Stage,
) -> None:
    retry = poisoned.retrying(MENDED)

    async def stall(connection: Connection) -> None:
        await retry(connection)
        await asyncio.sleep(LOCKED_FOR_MS / 1000 + 1)

    async with await open_session(
        poisoned.database, (), key=ShardKey.CUSTOMER, application_name="stalling"
    ) as connection:
        stalled = asyncio.create_task(resume(connection, CONSUMER, "carl", stall))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(LOCKED_FOR_MS / 1000 + 1):
            await poisoned.send(PARCEL, "p-4", Arrive("anna"))
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            await stalled
    assert [key for key, _ in await poisoned.parked()] == ["carl"]
    assert len(await poisoned.messages()) == 2


async def test_the_status_tells_what_is_behind_parked_and_overdue(poisoned: Stage) -> None:
    await poisoned.send(PARCEL, "p-4", Arrive("carl"))
    await poisoned.pass_time(PATIENCE + timedelta(hours=1))
    async with await poisoned.database.connect() as connection:
        status = await reactions_status(connection)
    [shard] = status.shards
    assert (shard.shard, shard.parked_keys, shard.last_error) == (0, 1, None)
    assert shard.lag_events == 1
    assert shard.lag_seconds >= PATIENCE.total_seconds()
    assert (status.timers.waiting, status.timers.overdue) == (2, 2)
    assert 3600 <= status.timers.lateness_seconds < 3700
