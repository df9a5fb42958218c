"""What changed of a customer: its parts, and what was recorded meanwhile."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from app.kernel.cipher import View, as_stored
from app.kernel.errors import InvalidInput, NotFound
from projections.as_of import Moment, Past, PastModels
from projections.customers.queries import Customer, Customers
from projections.diff.changes import Change, changes_between, seen_changes
from projections.timeline.queries import TimelineEntry, TimelineFilter, Timelines

MAX_ENTRIES = 200


class Diff(Struct, frozen=True):
    """What changed of a customer between two positions."""

    from_: Annotated[int, Meta(examples=[1036])] = msgspec.field(name="from")
    """The position from which on, exclusive."""
    to: Annotated[int, Meta(examples=[1042])]
    """The position up to which, inclusive."""
    changes: Sequence[Change]
    entries: Sequence[TimelineEntry]
    """What was recorded between the two, newest first: the entries of the timeline as it was at
    `to`, up to 200.
    """
    has_more_entries: Annotated[bool, Meta(examples=[False])]
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether events up to `to` are missing, for one could not be applied; see parked keys."""


class Diffs:
    """Compares customers' pasts."""

    def __init__(self, past: PastModels, customers: Customers, timelines: Timelines) -> None:
        """Take what knows the past, and what asks it."""
        self._past = past
        self._customers = customers
        self._timelines = timelines

    async def between(
        self, customer_id: str, since: Moment, until: Moment, *, view: View = as_stored
    ) -> Diff:
        """What changed behind the one moment up to the other, as the view has it.

        Raises `InvalidInput` when they are not in this order, `NotFound` when nobody was there at
        the later, and what `PastModels.of` and `Past.rows` raise.
        """
        before = await self._past.of(customer_id, since, field="from")
        after = await self._past.of(customer_id, until, field="to")
        if before.position > after.position or _is_later(since, until):
            raise InvalidInput("it is not later than to", field="from")
        customer = await self._customers.one(customer_id, as_of=after)
        page = await self._timelines.page(
            customer_id,
            only=TimelineFilter(after=before.position),
            limit=MAX_ENTRIES,
            as_of=after,
            view=view,
        )
        changes = changes_between(await self._known(customer_id, before), customer)
        return Diff(
            before.position,
            after.position,
            await seen_changes(customer_id, changes, view),
            page.items,
            page.next_cursor is not None,
            customer.stale or page.stale,
        )

    async def _known(self, customer_id: str, past: Past) -> Customer | None:
        try:
            return await self._customers.one(customer_id, as_of=past)
        except NotFound:
            return None


def _is_later(one: Moment, other: Moment) -> bool:
    """Of two times between which nothing was recorded, the positions do not tell."""
    return isinstance(one, datetime) and isinstance(other, datetime) and one > other
