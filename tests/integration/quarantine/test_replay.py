"""Events that did not fit are recorded once when they do, whatever happens meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.port import Append, Appended, StreamAppend
from app.eventstore.postgres import PostgresEventStore
from app.kernel.errors import StoreUnavailable
from app.kernel.event import Metadata
from app.modules.interactions.replay import Replay
from tests.integration.conftest import on_one_server
from tests.integration.quarantine.worker import NUMBER, Worker, numbers, paid
from tests.unit.http.asking import post

pytestmark = [pytest.mark.anyio, on_one_server]


async def test_replay_records_what_fits_now_in_the_order_of_receipt_and_keeps_the_rest(
    worker: Worker,
) -> None:
    await worker.declare(NUMBER)
    sent = [paid(f"{n}" if n % 3 else None, id=f"e-{n}") for n in range(450)]
    sent[1]["occurred_at"] = "2026-01-02T03:04:05Z"
    outcomes = (await worker.send(sent[:300])).json() + (await worker.send(sent[300:])).json()
    received = {kept["event_id"]: kept for kept in await worker.quarantined("?limit=100")}
    await worker.declare({"properties": {"n": {"type": "string"}}})
    done = await worker.replayed()
    assert done == {"recorded": 300, "recorded_before": 0, "kept": 150, "next_cursor": None}
    events = await worker.recorded()
    assert numbers(events) == [f"{n}" for n in range(450) if n % 3]
    assert [str(event.event_id) for event in events] == [
        outcome["event_id"] for n, outcome in enumerate(outcomes) if n % 3
    ]
    assert events[0].occurred_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert (
        msgspec.to_builtins(events[1].occurred_at)
        == (received[str(events[1].event_id)]["received_at"])
    )
    [still, *_] = await worker.quarantined()
    assert still["reasons"][0]["detail"] == 'the value is not of type "string"'
    assert (await worker.replayed())["recorded"] == 0
    # The senders' repeats find what was recorded.
    assert (await worker.send(sent[1])).json()["outcome"] == "repeated"


async def test_replay_takes_one_type_alone_when_asked(worker: Worker) -> None:
    for event_type in ("Paid", "Seen"):
        await worker.declare(NUMBER, event_type)
        await worker.send({"type": event_type, "customer_id": "ann", "data": {"n": "x"}})
        await worker.declare(None, event_type)
    assert [kept["type"] for kept in await worker.quarantined("?type=Seen")] == ["Seen"]
    assert (await worker.replayed(type="Seen"))["recorded"] == 1
    assert [kept["type"] for kept in await worker.quarantined()] == ["Paid"]


async def test_an_id_that_was_recorded_meanwhile_is_dropped(worker: Worker) -> None:
    await worker.declare(NUMBER)
    await worker.send([paid("x", id="e-1"), paid("x", id="e-2")])
    await worker.declare(None)
    await worker.send(paid("x", id="e-1"))
    await worker.send(paid("otherwise", id="e-2"))
    done = await worker.replayed()
    assert (done["recorded"], done["recorded_before"], done["kept"]) == (0, 2, 0)
    assert numbers(await worker.recorded()) == ["x", "otherwise"]
    assert await worker.quarantined() == []


class Dying:
    """A store whose process dies when it has recorded a group, before it could tell anybody."""

    def __init__(self, store: PostgresEventStore, *, groups: int) -> None:
        self._store = store
        self._groups = groups

    async def append_many(self, appends: Sequence[Append]) -> list[Appended | Exception]:
        answers = await self._store.append_many(appends)
        self._groups -= 1
        if self._groups == 0:
            raise KeyboardInterrupt
        return answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("groups", [1, 2])
async def test_replay_that_died_in_the_middle_loses_and_doubles_nothing_when_done_again(
    worker: Worker, groups: int
) -> None:
    await worker.declare(NUMBER)
    # Without ids too: those have no fingerprint to be recognised by.
    await worker.send([paid(f"{n}", **({"id": f"e-{n}"} if n % 2 else {})) for n in range(450)])
    await worker.declare(None)
    dying: Any = Dying(worker.store, groups=groups)
    replay = Replay(dying, worker.quarantine, worker.event_types, Codec(CATALOGUE))
    with pytest.raises(KeyboardInterrupt):
        await replay.run(None, after=0, metadata=Metadata())
    done = await worker.replayed()
    assert done["recorded"] + done["recorded_before"] == 450 - 200 * (groups - 1)
    assert numbers(await worker.recorded()) == [f"{n}" for n in range(450)]
    assert await worker.quarantined() == []


async def test_two_replays_at_once_record_everything_once_and_in_order(worker: Worker) -> None:
    await worker.declare(NUMBER)
    await worker.send([paid(f"{n}") for n in range(450)])
    await worker.declare(None)
    done = await asyncio.gather(worker.replayed(), worker.replayed(), worker.replayed())
    assert sum(one["recorded"] for one in done) == 450
    assert numbers(await worker.recorded()) == [f"{n}" for n in range(450)]
    assert await worker.quarantined() == []


async def test_nothing_leaves_the_quarantine_when_the_log_cannot_be_reached(
    worker: Worker,
) -> None:
    class Unreachable(Dying):
        async def append_many(self, appends: Sequence[Append]) -> list[Appended | Exception]:
            return [StoreUnavailable() for _ in appends]

    await worker.declare(NUMBER)
    await worker.send(paid("x"))
    await worker.declare(None)
    store: Any = Unreachable(worker.store, groups=0)
    replay = Replay(store, worker.quarantine, worker.event_types, Codec(CATALOGUE))
    with pytest.raises(StoreUnavailable):
        await replay.run(None, after=0, metadata=Metadata())
    assert len(await worker.quarantined()) == 1


async def test_a_replay_of_very_many_goes_on_where_it_stopped(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.modules.interactions.replay.MAX_REPLAYED_EVENTS", 400)
    await worker.declare(NUMBER)
    await worker.send([paid("x" if n < 400 else "y") for n in range(450)])
    await worker.declare({"properties": {"n": {"const": "y"}}})
    first = await worker.replayed()
    assert (first["recorded"], first["kept"]) == (0, 400)
    second = await worker.replayed(cursor=first["next_cursor"])
    assert (second["recorded"], second["next_cursor"]) == (50, None)
    another = msgspec.json.encode({"cursor": first["next_cursor"], "type": "Paid"})
    for unfit in (another, b'{"cursor": "200"}'):
        refused = await post(worker.app, "/v1/quarantine/replay", unfit)
        assert (refused.status, refused.json()["field"]) == (400, "cursor")


async def test_what_is_sensitive_by_now_is_sealed_before_a_replay_records_it(
    worker: Worker,
) -> None:
    async def seal(appends: Sequence[Append]) -> Sequence[Append]:
        return [replace(append, streams=tuple(map(sealed, append.streams))) for append in appends]

    def sealed(part: StreamAppend) -> StreamAppend:
        [event] = part.events
        return replace(part, events=(replace(event, data=msgspec.Raw(b'{"n":"sealed"}')),))

    await worker.declare(NUMBER)
    await worker.send(paid("plain"))
    await worker.declare(None)
    codec = Codec(CATALOGUE)
    replay = Replay(worker.store, worker.quarantine, worker.event_types, codec, seal=seal)
    await replay.run(None, after=0, metadata=Metadata())
    assert numbers(await worker.recorded()) == ["sealed"]
