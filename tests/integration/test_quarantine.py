"""Events that do not fit their type: kept once, and recorded once when they fit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import hypothesis
import msgspec
import psycopg
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.port import Append, Appended, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.http.asgi import App
from app.kernel.clock import system_clock
from app.kernel.errors import StoreUnavailable
from app.kernel.event import Metadata, RecordedEvent
from app.modules.event_types.declared import EventTypes
from app.modules.event_types.routes import event_type_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.quarantine_routes import quarantine_routes
from app.modules.interactions.replay import Replay
from app.modules.interactions.routes import EventsEndpoint, event_routes
from app.security.commands import Commands
from tests.fixtures.access import AsStored
from tests.integration.conftest import on_one_server
from tests.integration.erasing import erase
from tests.unit.http.asking import Answer, app_of, ask, post

pytestmark = [pytest.mark.anyio, on_one_server]

SECRET = b"s" * 32
BEN = {"customer_id": "ben"}
NUMBER = {"properties": {"n": {"type": "number"}}, "required": ["n"]}


@dataclass
class Worker:
    """An API process, as far as it matters here."""

    store: PostgresEventStore
    event_types: EventTypes
    quarantine: StoredQuarantine
    replay: Replay
    app: App

    async def send(self, body: Any, **headers: str) -> Answer:
        return await post(self.app, "/v1/events", msgspec.json.encode(body), **headers)

    async def declare(self, schema: Any, event_type: str = "Paid", **more: Any) -> Answer:
        body = msgspec.json.encode({"schema": schema, **more})
        return await ask(
            self.app, "PUT", f"/v1/event-types/{event_type}", body, content_type="application/json"
        )

    async def replayed(self, **wanted: Any) -> Any:
        answer = await post(self.app, "/v1/quarantine/replay", msgspec.json.encode(wanted))
        assert answer.status == 200, answer
        return answer.json()

    async def quarantined(self, query: str = "") -> Any:
        return (await ask(self.app, "GET", f"/v1/quarantine{query}")).json()["items"]

    async def recorded(self, customer_id: str = "ann") -> Sequence[RecordedEvent]:
        return await self.store.read_stream(f"activity-{customer_id}")


def worker_of(store: PostgresEventStore) -> Worker:
    codec = Codec(CATALOGUE)
    event_types = EventTypes(store, codec)
    quarantine = StoredQuarantine(store.pool)
    replay = Replay(store, quarantine, event_types, codec)
    intake = Intake(catalogue=CATALOGUE, secret=SECRET, clock=system_clock, event_types=event_types)
    endpoint = EventsEndpoint(store, intake, quarantine)
    commands = Commands(Executor(store, codec), SECRET)
    app = app_of(
        *event_routes(endpoint),
        *event_type_routes(commands, event_types, CATALOGUE),
        *quarantine_routes(quarantine, replay, AsStored()),
        direct_routes={("POST", "/v1/events"): endpoint},
    )
    return Worker(store, event_types, quarantine, replay, app)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresEventStore]:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        yield store


@pytest.fixture
async def worker(store: PostgresEventStore) -> Worker:
    return worker_of(store)


def paid(n: object, **more: Any) -> dict[str, Any]:
    return {"type": "Paid", "customer_id": "ann", "data": {"n": n}, **more}


def numbers(events: Sequence[RecordedEvent]) -> list[Any]:
    return [msgspec.json.decode(event.data)["n"] for event in events]


async def test_what_does_not_fit_is_quarantined_whole_and_what_fits_is_recorded(
    worker: Worker,
) -> None:
    await worker.declare(NUMBER)
    sent = paid("x", id="e-1", occurred_at="2026-01-02T03:04:05Z")
    answer = await worker.send(sent, x_request_id="r-1")
    assert answer.status == 202
    outcome = answer.json()
    assert (outcome["outcome"], outcome["repeated"]) == ("quarantined", False)
    assert outcome["reasons"] == [
        {"field": "data.n", "detail": 'the value is not of type "number"'}
    ]
    assert (await worker.send(paid(7))).status == 201
    [kept] = await worker.quarantined()
    assert kept["event_id"] == outcome["event_id"]
    assert (kept["type"], kept["customer_id"], kept["data"]) == ("Paid", "ann", {"n": "x"})
    assert kept["occurred_at"] == "2026-01-02T03:04:05Z"
    assert kept["reasons"] == outcome["reasons"]
    assert kept["metadata"]["source"] == "default"
    assert kept["metadata"]["request_id"] == "r-1"
    assert numbers(await worker.recorded()) == [7]


async def test_in_a_batch_each_event_has_its_own_outcome(worker: Worker) -> None:
    await worker.declare(NUMBER)
    one = paid("x", id="e-1")
    answer = await worker.send([paid(1), one, {"type": "Paid"}, one, paid("y", id="e-1"), paid(2)])
    outcomes = answer.json()
    assert [outcome["outcome"] for outcome in outcomes] == [
        "recorded", "quarantined", "rejected", "quarantined", "rejected", "recorded",
    ]  # fmt: skip
    assert [outcomes[1]["repeated"], outcomes[3]["repeated"]] == [False, True]
    assert outcomes[4]["problem"]["status"] == 422
    assert len(await worker.quarantined()) == 1


async def test_a_quarantined_event_sent_again_gets_the_same_outcome(worker: Worker) -> None:
    await worker.declare(NUMBER)
    first = (await worker.send(paid("x", id="e-1"))).json()
    again = await worker.send(paid("x", id="e-1"))
    assert again.status == 202
    assert again.json() == first | {"repeated": True}
    other = await worker.send(paid("y", id="e-1"))
    assert (other.status, other.code) == (422, "idempotency-conflict")
    by_key = await worker.send({**paid("x")}, idempotency_key="k")
    assert (await worker.send({**paid("x")}, idempotency_key="k")).json() == (
        by_key.json() | {"repeated": True}
    )
    assert len(await worker.quarantined()) == 2


async def test_sent_twenty_times_at_once_it_is_quarantined_once(worker: Worker) -> None:
    await worker.declare(NUMBER)
    answers = await asyncio.gather(*(worker.send(paid("x", id="e-1")) for _ in range(20)))
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 19
    assert len(await worker.quarantined()) == 1


async def test_what_was_recorded_before_the_schema_stays_recorded_when_it_comes_again(
    worker: Worker,
) -> None:
    first = (await worker.send(paid("x", id="e-1"))).json()
    await worker.declare(NUMBER)
    again = await worker.send(paid("x", id="e-1"))
    assert (again.status, again.json()) == (200, first | {"outcome": "repeated"})
    assert (await worker.send(paid("y", id="e-1"))).code == "idempotency-conflict"
    assert await worker.quarantined() == []


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


async def test_what_is_sent_while_its_customer_is_erased_is_not_kept_behind_it(
    worker: Worker, database: Database
) -> None:
    await worker.declare(NUMBER)
    async with await database.connect() as eraser:
        async with eraser.transaction():
            await eraser.execute("SELECT pg_advisory_xact_lock(quarantine_lock_key())")
            await eraser.execute("INSERT INTO tombstones VALUES ('ann', clock_now())")
            sending = asyncio.create_task(worker.send([paid("x"), {**paid("y"), **BEN}]))
            await waiting_for_a_lock(database)
        outcomes = (await sending).json()
    assert [outcome["outcome"] for outcome in outcomes] == ["rejected", "quarantined"]
    assert [kept["customer_id"] for kept in await worker.quarantined()] == ["ben"]


async def waiting_for_a_lock(database: Database) -> None:
    statement = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with await database.connect() as connection, asyncio.timeout(20):
        while await (await connection.execute(statement)).fetchall() == [(0,)]:
            await asyncio.sleep(0.01)


async def test_who_has_nothing_but_quarantined_events_can_be_erased(
    worker: Worker, database: Database
) -> None:
    await worker.declare(NUMBER)
    await worker.send([paid("x"), {**paid("y"), **BEN}])
    async with await database.connect() as connection:
        await connection.execute("CREATE TABLE test_keys (customer_id text)")
    await erase(worker.store, "ann")
    assert [kept["customer_id"] for kept in await worker.quarantined()] == ["ben"]
    assert (await worker.send(paid("x"))).status == 410


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


async def test_a_discarded_event_is_gone_and_the_log_keeps_that_it_was(
    worker: Worker, database: Database
) -> None:
    await worker.declare(NUMBER)
    event_id = (await worker.send(paid("canary"))).json()["event_id"]
    path = f"/v1/quarantine/{event_id}"
    assert (await ask(worker.app, "DELETE", path)).status == 204
    assert (await ask(worker.app, "DELETE", path)).status == 404
    assert (await ask(worker.app, "DELETE", "/v1/quarantine/x")).status == 400
    assert await worker.quarantined() == []
    [noted] = await worker.store.read_stream(f"quarantine-{event_id}")
    assert noted.type == "quarantine.event_discarded"
    assert msgspec.json.decode(noted.metadata)["actor"] == "key:TestsOnly000"
    with psycopg.connect(database.conninfo()) as connection:
        count = connection.execute("SELECT count(*) FROM events WHERE data::text ~ 'canary'")
        assert count.fetchone() == (0,)


async def test_the_quarantine_is_listed_page_by_page_in_the_order_of_receipt(
    worker: Worker,
) -> None:
    await worker.declare(NUMBER)
    await worker.send([paid(f"{n}") for n in range(7)])
    found, cursor = [], ""
    while True:
        page = (await ask(worker.app, "GET", f"/v1/quarantine?limit=3{cursor}")).json()
        found += [kept["data"]["n"] for kept in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [f"{n}" for n in range(7)]
    assert (await ask(worker.app, "GET", "/v1/quarantine?cursor=x")).status == 400


async def test_another_worker_goes_by_what_is_declared_once_it_has_looked(
    store: PostgresEventStore,
) -> None:
    one, other = worker_of(store), worker_of(store)
    await one.declare(NUMBER)
    assert (await one.send(paid("x"))).status == 202
    assert (await other.send(paid("x"))).status == 201
    await other.event_types.refresh()
    assert (await other.send(paid("x"))).status == 202
    assert other.event_types.all() == one.event_types.all()


@st.composite
def payments(draw: st.DrawFn) -> tuple[dict[str, Any], bool]:
    """Data, and whether it fits `PAYMENT`."""
    good = st.fixed_dictionaries(
        {"amount": st.integers(0, 1000) | st.floats(0, 1000, allow_subnormal=False)},
        optional={
            "note": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
        },
    )
    data: dict[str, Any] = draw(good)
    wrong: dict[str, Any] = draw(
        st.just({})
        | st.sampled_from(
            [{"amount": -1}, {"amount": "1"}, {"amount": None}, {"note": 5}, {"other": True}]
        )
    )
    if draw(st.booleans()) and not wrong:
        wrong, data = {"missing": 1}, {}
        return data, False
    return {**data, **wrong}, not wrong


PAYMENT = {
    "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 0}, "note": {"type": "string"}},
    "required": ["amount"],
    "additionalProperties": False,
}


async def test_what_fits_is_recorded_and_what_does_not_is_quarantined_exactly_once(
    worker: Worker,
) -> None:
    await worker.declare(PAYMENT)
    loop = asyncio.get_running_loop()

    async def check(sent: list[tuple[dict[str, Any], bool]], repeats: int) -> None:
        ann = str(uuid4())
        batch = [
            {"type": "Paid", "customer_id": ann, "id": f"{ann}-{n}", "data": data}
            for n, (data, _) in enumerate(sent)
        ]
        for _ in range(repeats):
            await worker.send(batch)
        recorded = [msgspec.json.decode(event.data) for event in await worker.recorded(ann)]
        page = await worker.quarantine.page(None, after=0, limit=1_000)
        kept = [event for event in page if event.customer_id == ann]
        assert recorded == [data for data, fits in sent if fits]
        assert [msgspec.json.decode(event.data) for event in kept] == [
            data for data, fits in sent if not fits
        ]
        for event in kept:
            assert event.reasons
            await ask(worker.app, "DELETE", f"/v1/quarantine/{event.event_id}")

    @hypothesis.settings(deadline=None, max_examples=40)
    @hypothesis.given(st.lists(payments(), max_size=8), st.integers(1, 3))
    def each(sent: list[tuple[dict[str, Any], bool]], repeats: int) -> None:
        asyncio.run_coroutine_threadsafe(check(sent, repeats), loop).result(60)

    await asyncio.to_thread(each)
