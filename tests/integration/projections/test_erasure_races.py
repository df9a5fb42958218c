"""Erasures that die, or beside which others go on: nothing or everything is done, once."""

import asyncio
import signal
import subprocess
import sys
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from app.eventstore.database import Connection
from app.kernel.errors import Erased
from app.kernel.event import RecordedEvent
from app.modules.customers.events import (
    ConsentWithdrawn,
    CustomerTraitsChanged,
    IdentityLinked,
)
from app.modules.customers.receipts import Receipt
from projections.customers import CUSTOMERS
from projections.registry import PROJECTIONS
from projections.verification import verify
from tests.integration.erasing import STEPS, KeyTable, erase
from tests.integration.projections.ann import customer, is_bare, keys_left
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import identities_of

pytestmark = pytest.mark.anyio

WRITERS = 6
DECLINED = ConsentWithdrawn("email", "news")


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
