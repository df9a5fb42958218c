"""What those who run the store did, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict

from app.eventstore.tables import events
from app.eventstore.upcasting import UpcastColumns, Upcaster, upcast_columns
from app.kernel.event import EventCatalogue, RecordedEvent
from projections.audit import AUDIT
from projections.audit.tables import AuditTables
from projections.reading import LIMIT, AnyRow, Query, ReadModels, compiled
from projections.timeline.titles import render_title


class Act(RecordedEvent, frozen=True):
    """An administrative act: its event, whose metadata says who did it in which request."""

    title: Annotated[str, Meta(examples=["Made an API key for shop"])]
    """What was done, in words, as the event's type declares them."""


class ActPage(Struct, frozen=True):
    """Some acts, newest first, and where to go on."""

    items: Sequence[Act]
    next_cursor: str | None
    """Null on the last page."""


class ActFilter(Struct, frozen=True):
    """What acts to show; None: all."""

    actor: str | None = None
    type: str | None = None
    since: datetime | None = None
    """Inclusive, by when it was recorded."""
    until: datetime | None = None
    """Exclusive."""


EVERYTHING = ActFilter()


class _Place(NamedTuple):
    recorded_at: Annotated[datetime, Meta(tz=True)]
    position: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Audit:
    """The acts of a store."""

    def __init__(
        self, models: ReadModels, catalogue: EventCatalogue, upcasters: Sequence[Upcaster] = ()
    ) -> None:
        """Take where the types' wording comes from, and what brings older events up to date."""
        self._models = models
        self._catalogue = catalogue
        self._upcast = upcast_columns(upcasters)

    async def page(
        self,
        only: ActFilter = EVERYTHING,
        *,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> ActPage:
        """Acts by when they were recorded, newest first.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values: dict[str, Any] = {k: v for k, v in asdict(only).items() if v is not None}
        shape = frozenset(values)
        if cursor is not None:
            shape |= {"before"}
            values |= self._models.cursors.decode(cursor, _Place, AUDIT.name)._asdict()
        rows = await self._models.rows(
            AUDIT,
            lambda tables: _acts(tables, self._upcast, shape),
            {"limit": limit + 1, **values},
            min_position=min_position,
        )
        acts = [self._act(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return ActPage(acts, None)
        last = _Place(acts[-1].recorded_at, acts[-1].position)
        return ActPage(acts, self._models.cursors.encode(last, AUDIT.name))

    def _act(self, row: AnyRow) -> Act:
        event_type, data = row[4], Raw(row[7].encode())
        title = render_title(self._catalogue.title_template(event_type) or event_type, data)
        fields = (*row[:7], data, Raw(row[8].encode()), *row[9:], title)
        return Act(*fields)


@compiled
def _acts(tables: AuditTables, upcast: UpcastColumns, shape: frozenset[str]) -> Query:
    """The places of the acts, and their events from the log."""
    act = tables.audit.c
    key = (act.recorded_at, act.position)
    place = (sa.bindparam(column.name, type_=column.type) for column in key)
    conditions = {
        "actor": act.actor == sa.bindparam("actor"),
        "type": act.type == sa.bindparam("type"),
        "since": act.recorded_at >= sa.bindparam("since"),
        "until": act.recorded_at < sa.bindparam("until"),
        "before": sa.tuple_(*key) < sa.tuple_(*place),
    }
    acts = (
        sa.select(act.position.label("place"))
        .where(*(conditions[name] for name in sorted(shape)))
        .order_by(act.recorded_at.desc(), act.position.desc())
        .limit(LIMIT)
        .subquery("acts")
    )
    return (
        sa.select(*_columns(upcast))
        .select_from(acts.join(events, events.c.position == acts.c.place))
        .order_by(events.c.position.desc())
    )


def _columns(upcast: UpcastColumns) -> list[sa.ColumnElement[Any]]:
    """The fields of a recorded event; JSON as text, which is passed on as it is."""
    data: sa.ColumnElement[Any] = sa.literal_column(f"({upcast.data})")
    ours: dict[str, sa.ColumnElement[Any]] = {
        "data": sa.cast(data, sa.Text).label("data"),
        "metadata": sa.cast(events.c.metadata, sa.Text).label("metadata"),
        "schema_version": sa.literal_column(f"({upcast.schema_version})").label("schema_version"),
    }
    return [
        ours[name] if name in ours else events.c[name] for name in RecordedEvent.__struct_fields__
    ]
