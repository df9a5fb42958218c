"""Events that do not fit their type: kept once, and recorded once when they fit."""

import asyncio
from typing import Any
from uuid import uuid4

import hypothesis
import msgspec
import psycopg
import pytest
from hypothesis import strategies as st

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore
from tests.integration.conftest import on_one_server
from tests.integration.erasing import erase
from tests.integration.quarantine.worker import NUMBER, Worker, numbers, paid, worker_of
from tests.unit.http.asking import ask

pytestmark = [pytest.mark.anyio, on_one_server]

BEN = {"customer_id": "ben"}


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
