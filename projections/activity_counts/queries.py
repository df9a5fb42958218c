"""How many events there were, by day, type and kind."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import asdict

from projections.activity_counts import ACTIVITY_COUNTS
from projections.activity_counts.tables import ActivityCountsTables
from projections.reading import LIMIT, Query, ReadModels, compiled


class ActivityCount(Struct, frozen=True):
    """How many events of one type there were on one day."""

    day: Annotated[date, Meta(examples=["2026-11-22"])]
    """In UTC, of when they happened."""
    type: Annotated[str, Meta(examples=["Product Added"])]
    kind: Annotated[str, Meta(examples=["activity"])]
    """What they are about, as on timelines."""
    count: Annotated[int, Meta(examples=[317])]


class ActivityCountPage(Struct, frozen=True):
    """Some counts, and where to go on."""

    items: Sequence[ActivityCount]
    next_cursor: str | None
    """Null on the last page."""


class ActivityCountFilter(Struct, frozen=True):
    """What to count; None: all."""

    type: str | None = None
    kind: str | None = None
    since: date | None = None
    """Inclusive."""
    until: date | None = None
    """Exclusive."""


class _Place(NamedTuple):
    """Named otherwise than what a filter has, for a query may have both."""

    after_day: date
    after_type: str
    after_kind: str


class ActivityCounts:
    """The activity counts of a store."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def page(
        self,
        only: ActivityCountFilter,
        *,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> ActivityCountPage:
        """Counts by day, then by type and kind; what there was nothing of is left out.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values = {name: value for name, value in asdict(only).items() if value is not None}
        shape = frozenset(values)
        if cursor is not None:
            shape |= {"after"}
            place = self._models.cursors.decode(cursor, _Place, ACTIVITY_COUNTS.name)
            values |= place._asdict()
        rows = await self._models.rows(
            ACTIVITY_COUNTS,
            lambda tables: _counts(tables, shape),
            {"limit": limit + 1, **values},
            min_position=min_position,
        )
        counts = [ActivityCount(*row) for row in rows[:limit]]
        if len(rows) <= limit:
            return ActivityCountPage(counts, None)
        last = counts[-1]
        place = _Place(last.day, last.type, last.kind)
        return ActivityCountPage(counts, self._models.cursors.encode(place, ACTIVITY_COUNTS.name))


@compiled
def _counts(tables: ActivityCountsTables, shape: frozenset[str]) -> Query:
    row = tables.activity_counts.c
    key = (row.day, row.type, row.kind)
    place = (
        sa.bindparam(name, type_=column.type)
        for name, column in zip(_Place._fields, key, strict=True)
    )
    conditions = {
        "type": row.type == sa.bindparam("type"),
        "kind": row.kind == sa.bindparam("kind"),
        "since": row.day >= sa.bindparam("since"),
        "until": row.day < sa.bindparam("until"),
        "after": sa.tuple_(*key) > sa.tuple_(*place),
    }
    return (
        sa.select(*key, row.events)
        .where(*(conditions[name] for name in sorted(shape)))
        .order_by(*key)
        .limit(LIMIT)
    )
