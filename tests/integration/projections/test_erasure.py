"""Erased customers: nothing of them is left in read models, now, then, or after a rebuild."""

import asyncio
import signal
import subprocess
import sys
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.database import Connection
from app.kernel.errors import Erased, NotFound
from app.kernel.event import Metadata, RecordedEvent
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
)
from app.modules.customers.receipts import Receipt
from projections.customers import CUSTOMERS
from projections.customers.queries import Customer, Customers
from projections.customers.search import ByIdentity, ByIdPrefix, ByTrait, Search
from projections.registry import PROJECTIONS
from projections.timeline.queries import TimelineEntry, Timelines
from projections.verification import verify
from tests.integration.erasing import STEPS, KeyTable, erase, erasures_of
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import identities_of, known_visitor

pytestmark = pytest.mark.anyio

WRITERS = 6
DECLINED = ConsentWithdrawn("email", "news")


@pytest.fixture
async def ann(stage: Stage) -> UUID:
    """Ann, who turned out to be the visitor v1; the id of her address. There is Ben, too."""
    await stage.make_first()
    visitor = await known_visitor(stage, "v1")
    address = await identities_of(stage).find_or_create("email", "ann@example.org")
    await execute(
        stage, "CREATE TABLE test_keys AS SELECT unnest('{ann,~v1,ben}'::text[]) AS customer_id"
    )
    await stage.record(
        sent("~v1", minutes=1),
        of_customer("ann", CustomerRegistered({"plan": "gold", "name": "Ann"}), minutes=2),
        of_customer("ann", ConsentRecorded("email", "news"), minutes=3),
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=4),
        of_customer("ann", IdentityLinked(address, "email"), minutes=5),
        sent("ann", minutes=6),
        of_customer("ben", CustomerRegistered({"plan": "gold"}), minutes=7),
    )
    return address


async def execute(stage: Stage, statement: str) -> None:
    async with await stage.database.connect() as connection:
        await connection.execute(statement.encode())


async def keys_left(stage: Stage) -> list[str]:
    return [key for (key,) in await stage.fetch("SELECT customer_id FROM test_keys ORDER BY 1")]


async def apply_all(stage: Stage, *, max_batch_events: int = 1000) -> None:
    for projection in PROJECTIONS:
        await stage.apply(projection.generation(1), max_batch_events=max_batch_events)


async def customer(stage: Stage, customer_id: str = "ann", at: int | None = None) -> Customer:
    past = None if at is None else await stage.past.of(customer_id, at, field="as_of")
    return await Customers(stage.models).one(customer_id, as_of=past)


async def timeline(stage: Stage, at: int | None = None) -> list[TimelineEntry]:
    past = None if at is None else await stage.past.of("ann", at, field="as_of")
    page = await Timelines(stage.models, CATALOGUE).page("ann", limit=100, as_of=past)
    return list(page.items)


async def found(stage: Stage, search: Search) -> list[str]:
    page = await Customers(stage.models).page(search, limit=10)
    return [each.customer_id for each in page.items]


def is_bare(customer: Customer) -> bool:
    """Whether it shows an erased customer and nothing else."""
    details = (bytes(customer.traits), list(customer.consents), list(customer.identities))
    return details == (b"{}", [], []) and customer.erased_at is not msgspec.UNSET


async def test_an_erased_customer_has_no_traits_consents_and_identities(
    stage: Stage, ann: UUID
) -> None:
    await apply_all(stage)
    assert not is_bare(await customer(stage))
    receipt = await erase(stage.store, "ann")
    await apply_all(stage)

    erased = await customer(stage)
    assert is_bare(erased)
    assert erased.erased_at == receipt.erased_at
    assert (await customer(stage, "ben")).erased_at is msgspec.UNSET
    assert await found(stage, ByTrait("plan", "gold")) == ["ben"]
    assert await found(stage, ByIdPrefix("")) == ["ben"]
    assert await found(stage, ByIdPrefix("a")) == []
    assert await found(stage, ByIdentity(ann)) == []
    assert (receipt.identities, receipt.visitors) == (2, 1)


@pytest.mark.parametrize("max_batch_events", [1, 3, 1000])
async def test_it_makes_no_difference_in_which_batch_the_erasure_is(
    stage: Stage, ann: UUID, max_batch_events: int
) -> None:
    await erase(stage.store, "ann")
    await apply_all(stage, max_batch_events=max_batch_events)
    assert is_bare(await customer(stage))
    for projection in PROJECTIONS:
        assert (await verify(stage.log, projection)).differences == []


async def test_the_timeline_shows_what_happened_and_the_erasure(stage: Stage, ann: UUID) -> None:
    receipt = await erase(stage.store, "ann")
    await apply_all(stage)

    entries = await timeline(stage)
    assert [entry.type for entry in entries] == [
        "customer.erased",
        "Product Added",
        "customer.identity_linked",
        "customer.identity_linked",
        "customer.consent_recorded",
        "customer.registered",
    ]
    assert (entries[0].position, entries[0].title) == (receipt.position, "Erased")
    assert msgspec.json.decode(entries[0].metadata) == {"actor": "test", "request_id": "req-1"}
    assert msgspec.json.decode(entries[0].data) == {"identities": 2, "visitors": 1}


async def test_no_past_brings_an_erased_customer_back(stage: Stage, ann: UUID) -> None:
    await erase(stage.store, "ann")
    await apply_all(stage)
    head = await stage.store.head()
    for position in range(head + 1):
        assert is_bare(await customer(stage, at=position))
        shown = [entry.position for entry in await timeline(stage, at=position)]
        assert shown == [p for p in (8, 6, 5, 4, 3, 2) if p <= position]


async def test_keys_and_identities_are_gone_and_an_address_can_be_anothers(
    stage: Stage, ann: UUID
) -> None:
    assert await keys_left(stage) == ["ann", "ben", "~v1"]
    await erase(stage.store, "ann")

    assert await keys_left(stage) == ["ben"]
    assert await stage.fetch("SELECT * FROM identities") == []
    again = await identities_of(stage).find_or_create("email", "ann@example.org")
    assert again != ann
    await stage.record(of_customer("ben", IdentityLinked(again, "email")))
    await apply_all(stage)
    assert await found(stage, ByIdentity(again)) == ["ben"]


async def test_an_erased_visitor_can_be_linked_to_nobody(stage: Stage, ann: UUID) -> None:
    await erase(stage.store, "ann")
    with pytest.raises(Erased):
        await known_visitor(stage, "v1")
    assert await known_visitor(stage, "v2")


async def test_a_link_that_comes_behind_an_erasure_leaves_no_look_up(
    stage: Stage, ann: UUID
) -> None:
    await erase(stage.store, "ann")
    with pytest.raises(Erased):
        await identities_of(stage).find_or_create("email", "ann@example.org", of="ann")
    assert await stage.fetch("SELECT * FROM identities") == []
    assert await identities_of(stage).find_or_create("email", "ann@example.org", of="ben")


async def test_who_was_erased_while_the_erasure_was_planned_has_the_same_receipt(
    stage: Stage, ann: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasures, other = erasures_of(stage.store, KeyTable()), list[Receipt]()
    plan = erasures._plan

    async def plan_late(customer_id: str) -> Any:
        if not other:
            other.append(await erase(stage.store, customer_id))
        return await plan(customer_id)

    monkeypatch.setattr(erasures, "_plan", plan_late)
    assert await erasures.erase("ann", Metadata(actor="late")) == other[0]


async def test_nothing_more_is_recorded_of_the_customer_and_its_visitors(
    stage: Stage, ann: UUID
) -> None:
    await erase(stage.store, "ann")
    for happening in (
        sent("ann"),
        sent("~v1"),
        of_customer("ann", CustomerTraitsChanged({"plan": "none"})),
    ):
        with pytest.raises(Erased):
            await stage.record(happening)
    await stage.record(sent("ben"), sent("~v2"))


async def test_a_second_erasure_has_the_receipt_of_the_first(stage: Stage, ann: UUID) -> None:
    first = await erase(stage.store, "ann")
    await stage.record(sent("ben"))
    assert await erase(stage.store, "ann") == first
    assert await stage.fetch("SELECT count(*) FROM events WHERE type = 'customer.erased'") == [(1,)]


async def test_of_many_at_once_one_erases_and_all_have_its_receipt(stage: Stage, ann: UUID) -> None:
    receipts = await asyncio.gather(*(erase(stage.store, "ann") for _ in range(6)))
    assert len(set(map(msgspec.json.encode, receipts))) == 1
    assert await stage.fetch("SELECT count(*) FROM events WHERE type = 'customer.erased'") == [(1,)]


async def test_a_visitor_is_erased_by_itself_before_or_after_its_customer(
    stage: Stage, ann: UUID
) -> None:
    alone = await erase(stage.store, "~v1")
    with pytest.raises(Erased):
        await stage.record(sent("~v1"))
    await erase(stage.store, "ann")
    assert await erase(stage.store, "~v1") == alone
    await apply_all(stage)
    assert is_bare(await customer(stage, "~v1"))


async def test_of_a_stranger_there_is_nothing_to_erase(stage: Stage, ann: UUID) -> None:
    with pytest.raises(NotFound):
        await erase(stage.store, "nobody")
    await stage.record(sent("nobody"))


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_dies_erased_nothing_or_everything_and_a_retry_ends_it(
    stage: Stage, ann: UUID, step: str
) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.integration.erasing", stage.database.url, "ann", step],
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL

    left = {
        "keys": await keys_left(stage),
        "identities": len(await stage.fetch("SELECT FROM identities")),
        "tombstones": await stage.fetch("SELECT customer_id FROM tombstones ORDER BY 1"),
        "head": await stage.store.head(),
    }
    everything = {"keys": ["ben"], "identities": 0, "tombstones": [("ann",), ("~v1",)], "head": 8}
    nothing = {"keys": ["ann", "ben", "~v1"], "identities": 2, "tombstones": [], "head": 7}
    assert left == (everything if step == "behind the commit" else nothing)

    await erase(stage.store, "ann")
    assert await keys_left(stage) == ["ben"]
    assert await stage.store.head() == 8


class _LosesTheConnection(KeyTable):
    """Once, its server process dies under it."""

    def __init__(self) -> None:
        self.losses = 0

    async def destroy_in(self, connection: Connection, customer_id: str) -> None:
        await super().destroy_in(connection, customer_id)
        if not self.losses:
            self.losses += 1
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_lost_connection_does_not_keep_a_customer_from_being_erased(
    stage: Stage, ann: UUID
) -> None:
    keys = _LosesTheConnection()
    await erase(stage.store, "ann", keys)
    assert keys.losses == 1
    assert await keys_left(stage) == ["ben"]


async def test_what_was_linked_while_the_erasure_was_planned_is_erased_too(
    stage: Stage, ann: UUID
) -> None:
    late = await identities_of(stage).find_or_create("phone", "+12025550143")

    class LinksMeanwhile(KeyTable):
        links = 0

        async def destroy_in(self, connection: Connection, customer_id: str) -> None:
            if not self.links:
                self.links += 1
                await stage.record(of_customer("ann", IdentityLinked(late, "phone")))
            await super().destroy_in(connection, customer_id)

    receipt = await erase(stage.store, "ann", LinksMeanwhile())
    assert receipt.identities == 3
    assert await stage.fetch("SELECT * FROM identities") == []


async def test_who_writes_of_a_customer_without_a_pause_does_not_keep_it_from_being_erased(
    stage: Stage, ann: UUID
) -> None:
    class ChangesMeanwhile(KeyTable):
        tries = 0

        async def destroy_in(self, connection: Connection, customer_id: str) -> None:
            self.tries += customer_id == "ann"
            for happening in (CustomerTraitsChanged({"n": self.tries}), DECLINED):
                await stage.record(of_customer("ann", happening))
            await super().destroy_in(connection, customer_id)

    keys = ChangesMeanwhile()
    receipt = await erase(stage.store, "ann", keys)
    assert keys.tries == 1
    assert receipt.position == await stage.store.head()


async def test_nothing_comes_in_behind_an_erasure_however_many_write_and_rebuild(
    stage: Stage, ann: UUID
) -> None:
    numbers = count()
    refused = asyncio.Event()

    async def write(who: str) -> list[Any]:
        outcomes: list[Any] = []
        while not refused.is_set() or not isinstance(outcomes[-1], Erased):
            happening = (
                sent(who, number=next(numbers))
                if who == "~v1" or next(numbers) % 2
                else of_customer(who, CustomerTraitsChanged({"n": next(numbers), "name": "Ann"}))
            )
            try:
                outcomes.append(await stage.record(happening))
            except Erased as error:
                outcomes.append(error)
                refused.set()
        return outcomes

    async def erase_soon() -> Receipt:
        await asyncio.sleep(0.3)
        return await erase(stage.store, "ann")

    async def check_again_and_again() -> None:
        while not refused.is_set():
            await verify(stage.log, CUSTOMERS)

    async with stage.projecting():
        receipt, _, *written = await asyncio.gather(
            erase_soon(),
            check_again_and_again(),
            *(write(who) for who in ("ann", "~v1") * (WRITERS // 2)),
        )
        await stage.caught_up()
        of_ann = await all_of(stage, "ann", "~v1")
        assert max(event.position for event in of_ann) == receipt.position
        for outcomes in written:
            kinds = [isinstance(outcome, Erased) for outcome in outcomes]
            assert kinds == sorted(kinds)  # once refused, always refused
        assert is_bare(await customer(stage))
    for projection in PROJECTIONS:
        assert (await verify(stage.log, projection)).differences == []


async def all_of(stage: Stage, *customer_ids: str) -> list[RecordedEvent]:
    return await stage.store.read_log(after=0, limit=1_000_000, customer_ids=customer_ids)


async def test_an_erasure_waits_for_the_log_and_those_behind_it_see_the_tombstone(
    stage: Stage, ann: UUID
) -> None:
    async with await stage.database.connect() as holder:
        async with holder.transaction():
            await holder.execute("SELECT pg_advisory_xact_lock(log_lock_key())")
            erasing = asyncio.create_task(erase(stage.store, "ann"))
            await waiting(stage, 1)
            behind = asyncio.create_task(stage.record(sent("ann")))
            await waiting(stage, 2)
        receipt = await erasing
    with pytest.raises(Erased):
        await behind
    assert await stage.store.head() == receipt.position


async def waiting(stage: Stage, sessions: int) -> None:
    async with asyncio.timeout(20):
        while await stage.fetch(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database"
            " = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ) != [(sessions,)]:
            await asyncio.sleep(0.01)
