"""An export is everything that is held about a customer, in order, and says when it is whole."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.port import Append, StreamAppend
from app.kernel.errors import NotFound
from app.kernel.event import Metadata
from app.modules.customers.events import CustomerRegistered, IdentityLinked
from app.modules.interactions.quarantine import Misfit, StoredQuarantine
from projections.customers.queries import Customers
from projections.export.lines import PAGE_EVENTS, Exports, Reveal, as_it_is
from projections.timeline.queries import Timelines
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import Happening, Stage, of_customer, sent
from tests.integration.projections.visitors import known_visitor

pytestmark = [pytest.mark.anyio, on_one_server]


async def export(stage: Stage, customer_id: str, reveal: Reveal = as_it_is) -> list[Any]:
    customers, timelines = Customers(stage.models), Timelines(stage.models, CATALOGUE)
    quarantine = StoredQuarantine(stage.store.pool)
    exports = Exports(
        stage.store, Codec(CATALOGUE), customers, timelines, quarantine, reveal=reveal
    )
    lines = await exports.of(customer_id, Metadata(actor="test"))
    return [msgspec.json.decode(line) async for line in lines]


async def test_it_has_the_profile_all_events_of_all_ids_in_order_and_an_end(stage: Stage) -> None:
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        sent("~v1", minutes=9),
        of_customer("ann", CustomerRegistered({"name": "Ann"})),
        *(sent("ann", number=number) for number in range(PAGE_EVENTS)),
        sent("ben"),
        of_customer("ann", IdentityLinked(visitor, "anonymous")),
        *(sent("~v1", number=number) for number in range(PAGE_EVENTS)),
    )
    await stage.make_first()
    async with stage.projecting():
        first, *events, last = await export(stage, "ann")

    assert first["profile"]["traits"] == {"name": "Ann"}
    assert [identity["kind"] for identity in first["profile"]["identities"]] == ["anonymous"]
    positions = [line["event"]["position"] for line in events]
    assert positions == [n for n in range(1, 2 * PAGE_EVENTS + 5) if n != PAGE_EVENTS + 3]
    assert {line["event"]["customer_id"] for line in events} == {"ann", "~v1"}
    assert first["visitors"] == ["~v1"]
    counts = {"events": len(events), "quarantined": 0, "exports": 0}
    assert last == {"complete": {**counts, "position": 2 * PAGE_EVENTS + 4}}


async def test_it_has_what_is_quarantined_decrypted_and_who_was_given_it_before(
    stage: Stage,
) -> None:
    async def reveal(values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
        return [Raw(bytes(data).replace(b"sealed", b"plain")) for _, data in values]

    visitor = await known_visitor(stage, "v1")
    await stage.record(sent("ann"), of_customer("ann", IdentityLinked(visitor, "anonymous")))
    await quarantine(stage, *(sent(who, of="sealed") for who in ("ann", "ben", "~v1", "carl")))
    await stage.make_first()
    async with stage.projecting():
        await export(stage, "ann")
        *_, of_ann, of_visitor, before, last = await export(stage, "ann", reveal)
        of_carl = await export(stage, "carl")

    kept = [line["quarantined"] for line in (of_ann, of_visitor)]
    assert [(each["customer_id"], each["data"]) for each in kept] == [
        ("ann", {"of": "plain"}),
        ("~v1", {"of": "plain"}),
    ]
    assert before["export"]["metadata"] == {"actor": "test"}
    assert last == {"complete": {"events": 2, "quarantined": 2, "exports": 1, "position": 3}}
    assert [of_carl[0]["profile"], of_carl[-1]["complete"]["quarantined"]] == [None, 1]


async def quarantine(stage: Stage, *happenings: Happening) -> None:
    misfits = [
        Misfit(Append((StreamAppend(stream, (event,)),)), ()) for stream, event in happenings
    ]
    await StoredQuarantine(stage.store.pool).keep(misfits)


async def test_it_is_recorded_who_asked_for_it_on_nobodys_timeline(stage: Stage) -> None:
    await stage.record(sent("ann"))
    await stage.make_first()
    async with stage.projecting():
        await export(stage, "ann")
        await export(stage, "ann")
    first, _second = await stage.store.read_stream("export-ann")
    assert (first.type, first.customer_id) == ("customer.exported", None)
    assert msgspec.json.decode(first.metadata)["actor"] == "test"


async def test_what_is_encrypted_is_decrypted_for_whose_it_is(stage: Stage) -> None:
    asked: list[str | None] = []

    async def reveal(values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
        asked.extend(customer_id for customer_id, _ in values)
        return [Raw(bytes(data).replace(b"sealed", b"plain")) for _, data in values]

    await stage.record(
        of_customer("ann", CustomerRegistered({"name": "sealed"})), sent("ann", of="sealed")
    )
    await stage.make_first()
    async with stage.projecting():
        lines = await export(stage, "ann", reveal)
    assert "sealed" not in str(lines)
    assert lines[0]["profile"]["traits"] == {"name": "plain"}
    assert set(asked) == {"ann"}


async def test_of_nobody_there_is_nothing_to_export_and_nothing_recorded(stage: Stage) -> None:
    await stage.record(sent("ann"))
    await stage.make_first()
    async with stage.projecting():
        with pytest.raises(NotFound):
            await export(stage, "nobody")
    assert await stage.store.head() == 1
