"""Erased customers: nothing of them is left in read models, now, then, or after a rebuild."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.catalogue import CATALOGUE
from app.kernel.errors import Erased, NotFound
from app.kernel.event import Metadata
from app.modules.customers.events import (
    CustomerTraitsChanged,
    IdentityLinked,
)
from app.modules.customers.receipts import Receipt
from projections.customers.queries import Customers
from projections.customers.search import ByIdentity, ByIdPrefix, ByTrait, Search
from projections.registry import PROJECTIONS
from projections.timeline.queries import TimelineEntry, Timelines
from projections.verification import verify
from tests.integration.erasing import KeyTable, erase, erasures_of
from tests.integration.projections.ann import customer, is_bare, keys_left
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import identities_of, known_visitor

pytestmark = pytest.mark.anyio


async def apply_all(stage: Stage, *, max_batch_events: int = 1000) -> None:
    for projection in PROJECTIONS:
        await stage.apply(projection.generation(1), max_batch_events=max_batch_events)


async def timeline(stage: Stage, at: int | None = None) -> list[TimelineEntry]:
    past = None if at is None else await stage.past.of("ann", at, field="as_of")
    page = await Timelines(stage.models, CATALOGUE).page("ann", limit=100, as_of=past)
    return list(page.items)


async def found(stage: Stage, search: Search) -> list[str]:
    page = await Customers(stage.models).page(search, limit=10)
    return [each.customer_id for each in page.items]


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
