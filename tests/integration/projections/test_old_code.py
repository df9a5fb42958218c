"""Code that meets events which are newer than it stops before them, says so, and waits."""

from typing import ClassVar

import msgspec
import pytest

from app.eventstore.port import Append, StreamAppend
from app.kernel.errors import UnknownEvent
from app.kernel.event import Event, EventCatalogue, NewEvent
from app.modules.customers.events import REGISTERED, CustomerRegistered
from projections.rebuild import rebuild
from projections.session import Log
from projections.timeline import TIMELINE
from tests.integration.projections.stage import Stage, of_customer, sent, until

pytestmark = pytest.mark.anyio


class NoveltyFound(Event, frozen=True):
    """Of a module that old code does not have."""

    tag: ClassVar[str] = "novelty.found"
    title: ClassVar[str] = "Found something new"


def of_novelty(customer_id: str) -> tuple[str, NewEvent]:
    _, event = of_customer(customer_id, NoveltyFound())
    return "novelty-1", event


async def last_error(stage: Stage, name: str = "timeline_g1") -> str | None:
    [(error,)] = await stage.fetch("SELECT last_error FROM checkpoints WHERE consumer = %s", name)
    return None if error is None else str(error)


async def waits_before(stage: Stage, position: int) -> None:
    async def has_error() -> bool:
        return await last_error(stage) is not None

    await until(has_error)
    assert f"position {position}" in str(await last_error(stage))
    assert await stage.position("timeline_g1") == position - 1


async def test_an_unknown_type_is_waited_for_by_old_code_and_applied_by_new(stage: Stage) -> None:
    await stage.make_first()
    new_log = Log(stage.database, EventCatalogue((*REGISTERED, NoveltyFound)))
    async with stage.projecting(TIMELINE):
        await stage.record(sent("ann"), sent("ann"), of_novelty("ann"), sent("ann"))
        await waits_before(stage, 3)
        async with stage.projecting(TIMELINE, log=new_log):
            await stage.caught_up("timeline_g1")
        assert await last_error(stage) is None
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")
    kinds = await stage.fetch("SELECT kind FROM timeline_g1 ORDER BY position")
    assert kinds == [("activity",), ("activity",), ("novelty",), ("activity",), ("activity",)]


async def test_a_newer_shape_of_a_known_type_is_waited_for(stage: Stage) -> None:
    await stage.make_first()
    stream, event = of_customer("ann", CustomerRegistered({}))
    newer = msgspec.structs.replace(event, schema_version=2)
    await stage.record(sent("ann"))
    await stage.store.append(Append((StreamAppend(stream, (newer,)),)))
    async with stage.projecting(TIMELINE):
        await waits_before(stage, 2)


async def test_an_older_shape_of_a_known_type_is_no_reason_to_wait(stage: Stage) -> None:
    class Renamed(CustomerRegistered, frozen=True):
        schema_version: ClassVar[int] = 3

    newer_code = Log(stage.database, EventCatalogue([Renamed]))
    await stage.record(of_customer("ann", CustomerRegistered({})), sent("ann"))
    async with stage.projecting(log=newer_code):
        await stage.caught_up()


async def test_what_senders_send_is_never_unknown(stage: Stage) -> None:
    await stage.record(sent("ann", "novelty.found"), sent("ann", "no.such_type"))
    async with stage.projecting():
        await stage.caught_up()


async def test_a_rebuild_by_old_code_is_refused(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), of_novelty("ann"))
    with pytest.raises(UnknownEvent, match="position 2"):
        await rebuild(stage.log, TIMELINE)
