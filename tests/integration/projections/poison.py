"""Events that fail, and what becomes of them."""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

from msgspec import Raw

from app.eventstore.parking import ParkedKey, parked_keys
from app.kernel.event import NewEvent
from app.kernel.ids import new_event_id
from projections.projection import Projection
from projections.timeline import TIMELINE
from projections.timeline.tables import TimelineTables
from tests.integration.projections.stage import NOON, Happening, Stage, sent

APPLY = TIMELINE.apply
assert APPLY
# An amount that is no number fails, as long as the definition is as strict as this.
STRICT = (
    "SELECT (data ->> 'amount')::integer FROM batch WHERE type = 'Paid' ORDER BY position;\n"
    + APPLY()
)
PICKY: Projection[TimelineTables] = replace(TIMELINE, apply=lambda: STRICT)


@asynccontextmanager
async def a_poisoned_log(stage: Stage, *, failing: Collection[int] = (7,)) -> AsyncIterator[None]:
    """Of twenty events, ann's third one (position 7) fails; a projector has been over them.

    Ann's are 1, 4, 7, 10, 13, 16 and 19.
    """
    customers = ["ann", "ben", "cid"]
    await stage.record(
        *(
            sent(customers[number % 3], "Paid", amount="much" if number + 1 in failing else "1")
            for number in range(20)
        )
    )
    async with stage.projecting(PICKY):
        await stage.caught_up("timeline_g1")
        yield


async def parked(stage: Stage, consumer: str = "timeline_g1") -> list[ParkedKey]:
    async with await stage.database.connect() as connection:
        return await parked_keys(connection, [consumer])


async def positions_of(stage: Stage, customer_id: str) -> list[int]:
    rows = await stage.fetch(
        "SELECT position FROM timeline_g1 WHERE customer_id = %s ORDER BY position", customer_id
    )
    return [position for (position,) in rows]


async def park(stage: Stage, consumer: str, key: str, *, at: int = 1) -> None:
    """Have a key parked, from a position on, that did nothing wrong."""
    await stage.fetch(
        "INSERT INTO parked_keys VALUES (%s, %s, %s, 'no luck', clock_now()) RETURNING 1",
        consumer,
        key,
        at,
    )


def unreadable(customer_id: str) -> Happening:
    """An event that the timeline as it is cannot apply: a link to an identity that is none."""
    data = {"identity_id": "[nobody]", "kind": "anonymous"}
    return f"customer-{customer_id}", NewEvent(
        event_id=new_event_id(),
        type="customer.identity_linked",
        data=Raw(json.dumps(data).encode()),
        metadata=Raw(b"{}"),
        customer_id=customer_id,
        occurred_at=NOON,
    )
