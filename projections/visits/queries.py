"""A customer's visits, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Struct

from projections.reading import LIMIT, AnyRow, Query, ReadModels, compiled, parked
from projections.visits import VISITS
from projections.visits.tables import VisitsTables


class Visit(Struct, frozen=True):
    """What a customer did without more than 30 minutes of silence in between."""

    customer_id: Annotated[str, Meta(examples=["anna"])]
    started_at: Annotated[datetime, Meta(examples=["2026-11-22T09:30:00Z"])]
    """When its first event happened."""
    ended_at: Annotated[datetime, Meta(examples=["2026-11-22T09:42:30Z"])]
    """When its last event happened; it may still go on."""
    duration_s: Annotated[float, Meta(examples=[750.0])]
    """From the first event to the last: 0 where there is one."""
    events: Annotated[int, Meta(examples=[12])]
    entry: Annotated[str, Meta(examples=["Page Viewed"])]
    """The type of the first event."""
    exit: Annotated[str, Meta(examples=["Product Added"])]
    """The type of the last event."""


class VisitPage(Struct, frozen=True):
    """Some visits, newest first, and where to go on."""

    items: Sequence[Visit]
    next_cursor: str | None
    """Null on the last page."""
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether events are missing, for one of them could not be applied; see parked keys."""


class _Place(NamedTuple):
    before: Annotated[datetime, Meta(tz=True)]


class Visits:
    """The visits of a store's customers."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def page(
        self,
        customer_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> VisitPage:
        """Those of this very id by when they began, newest first; none for nobody.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values: dict[str, Any] = {"customer_id": customer_id, "limit": limit + 1}
        if cursor is not None:
            place = self._models.cursors.decode(cursor, _Place, VISITS.name, customer_id)
            values |= place._asdict()
        is_first = cursor is None
        rows = await self._models.rows(
            VISITS, lambda tables: _visits(tables, is_first), values, min_position=min_position
        )
        stale = bool(rows[0][-1])
        visits = [_visit(row) for row in rows[:limit] if row[0] is not None]
        if len(rows) <= limit:
            return VisitPage(visits, None, stale)
        place = _Place(visits[-1].started_at)
        cursor = self._models.cursors.encode(place, VISITS.name, customer_id)
        return VisitPage(visits, cursor, stale)


def _visit(row: AnyRow) -> Visit:
    customer_id, started_at, ended_at, *more, _stale = row
    duration_s = (ended_at - started_at).total_seconds()
    return Visit(customer_id, started_at, ended_at, duration_s, *more)


@compiled
def _visits(tables: VisitsTables, is_first: bool) -> Query:
    """Each row ends with whether events are missing; of no visits, one row says just that."""
    visit, customer_id = tables.visits.c, sa.bindparam("customer_id", type_=sa.Text)
    query = sa.select(
        visit.customer_id,
        visit.started_at,
        visit.ended_at,
        visit.events,
        visit.entry,
        visit.exit,
    ).where(visit.customer_id == customer_id)
    if not is_first:
        query = query.where(visit.started_at < sa.bindparam("before"))
    mine = query.order_by(visit.started_at.desc()).limit(LIMIT).subquery("mine")
    is_stale = parked(tables.visits.name, customer_id).label("stale")
    stale = sa.select(is_stale).subquery("stale")
    return (
        sa.select(*mine.c, stale.c.stale)
        .select_from(stale.outerjoin(mine, sa.true()))
        .order_by(mine.c.started_at.desc())
    )
