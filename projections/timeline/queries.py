"""A customer's timeline: newest first, with what happened to the visitors it turned out to be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict, astuple

from app.eventstore.tables import identities
from app.eventstore.upcasting import UpcastColumns, Upcaster, upcast_columns
from app.kernel.event import ACTIVITY, EventCatalogue, RecordedEvent, kind_of
from projections.as_of import Past
from projections.paging import decode_cursor, encode_cursor
from projections.reading import LIMIT, AnyRow, Query, ReadModels, compiled, parked
from projections.timeline import TIMELINE
from projections.timeline.tables import TimelineTables
from projections.timeline.titles import render_title


class TimelineEntry(RecordedEvent, frozen=True):
    """An event on a timeline."""

    title: Annotated[str, Meta(examples=["Product Added"])]
    """What happened, in words, as the event's type declares them."""
    kind: Annotated[str, Meta(examples=["activity"])]
    """What it is about, such as ``order`` or ``payment``; ``activity`` for what was sent."""


class TimelinePage(Struct, frozen=True):
    """Some entries, newest first, and where to go on."""

    items: Sequence[TimelineEntry]
    next_cursor: str | None
    """Null on the last page."""
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether events are missing, for one of them could not be applied; see parked keys."""


class TimelineFilter(Struct, frozen=True):
    """What entries to show; None: all."""

    type: str | None = None
    kind: str | None = None
    since: datetime | None = None
    """Inclusive, by when it happened."""
    until: datetime | None = None
    """Exclusive."""
    after: int | None = None
    """A position, exclusive."""


EVERYTHING = TimelineFilter()


class _Place(NamedTuple):
    occurred_at: Annotated[datetime, Meta(tz=True)]
    position: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Timelines:
    """The timelines of a store's customers."""

    def __init__(
        self,
        models: ReadModels,
        catalogue: EventCatalogue,
        upcasters: Sequence[Upcaster] = (),
    ) -> None:
        """Take what the types' wording comes from, and what brings older entries up to date."""
        self._models = models
        self._catalogue = catalogue
        self._upcast = upcast_columns(upcasters)

    async def page(
        self,
        customer_id: str,
        *,
        only: TimelineFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
        as_of: Past | None = None,
    ) -> TimelinePage:
        """Entries by when they happened, then by position, newest first; none for nobody.

        `as_of`: those that were there then. Raises `InvalidInput` for a cursor that is none, and
        what `ReadModels.rows` or `Past.rows` raises.
        """
        values = {name: value for name, value in asdict(only).items() if value is not None}
        shape = frozenset(values)
        if cursor is not None:
            shape |= {"before"}
            values |= decode_cursor(cursor, _Place)._asdict()
        values |= {"customer_id": customer_id, "limit": limit + 1}

        def query(tables: TimelineTables) -> bytes:
            return _entries(tables, self._upcast, shape)

        if as_of is None:
            rows = await self._models.rows(TIMELINE, query, values, min_position=min_position)
        else:
            shape |= {"upto"}  # the past knows of an erasure that was to come
            values |= {"upto": as_of.position}
            rows = await as_of.rows(TIMELINE, query, values, people=_ids)
        stale = bool(rows[0][-1])
        entries = [self._entry(row) for row in rows[:limit] if row[0] is not None]
        if len(rows) <= limit:
            return TimelinePage(entries, None, stale)
        last = entries[-1]
        cursor = encode_cursor(_Place(last.occurred_at, last.position))
        return TimelinePage(entries, cursor, stale)

    async def ids_of(self, customer_id: str, *, min_position: int | None = None) -> list[str]:
        """The ids that a customer's events stand under: its own, and linked visitors' (``~…``)."""
        rows = await self._models.rows(
            TIMELINE, _ids, {"customer_id": customer_id}, min_position=min_position
        )
        return [row[0] for row in rows]

    def entry_of(self, event: RecordedEvent) -> TimelineEntry:
        """The entry that an event of the log becomes."""
        kind = kind_of(event.stream, event.type)
        template = None if kind == ACTIVITY else self._catalogue.title_template(event.type)
        title = event.type if template is None else render_title(template, event.data)
        fields = (*astuple(event), title, kind)
        return TimelineEntry(*fields)

    def _entry(self, row: AnyRow) -> TimelineEntry:
        fields = (*row[:7], Raw(row[7].encode()), Raw(row[8].encode()), *row[9:-1])
        return self.entry_of(RecordedEvent(*fields))


@compiled
def _entries(tables: TimelineTables, upcast: UpcastColumns, shape: frozenset[str]) -> Query:
    """One range of the index for each id, joined laterally; a condition over all ids would
    read everything that each ever did.

    Each row ends with whether entries are missing; where there are none, one row says just that.
    """
    timeline = tables.timeline.c
    people = _ids_of(tables).subquery("people")
    conditions = _conditions(tables)
    mine = (
        sa.select(*_columns(tables, upcast))
        .where(timeline.customer_id == people.c.customer_id)
        .where(*(conditions[name] for name in sorted(shape)))
        .order_by(timeline.occurred_at.desc(), timeline.position.desc())
        .limit(LIMIT)
        .lateral("mine")
    )
    stale = sa.select(_is_stale(tables).label("stale")).subquery("stale")
    return (
        sa.select(*mine.c, stale.c.stale)
        .select_from(stale.outerjoin(people.join(mine, sa.true()), sa.true()))
        .order_by(mine.c.occurred_at.desc(), mine.c.position.desc())
        .limit(LIMIT)
    )


def _is_stale(tables: TimelineTables) -> sa.Exists:
    """Whether events are left out of one of the customer's ids."""
    people = _ids_of(tables).subquery("people")
    generation = tables.timeline.name  # as the table that is named like the projection is
    return sa.exists().select_from(people).where(parked(generation, people.c.customer_id))


def _columns(tables: TimelineTables, upcast: UpcastColumns) -> list[sa.ColumnElement[Any]]:
    """The fields of a recorded event; JSON as text, which is passed on as it is."""
    timeline = tables.timeline.c
    data: sa.ColumnElement[Any] = sa.literal_column(f"({upcast.data})")
    ours: dict[str, sa.ColumnElement[Any]] = {
        "data": sa.cast(data, sa.Text).label("data"),
        "metadata": sa.cast(timeline.metadata, sa.Text).label("metadata"),
        "schema_version": sa.literal_column(f"({upcast.schema_version})").label("schema_version"),
    }
    return [
        ours[name] if name in ours else timeline[name] for name in RecordedEvent.__struct_fields__
    ]


def _conditions(tables: TimelineTables) -> dict[str, sa.ColumnElement[bool]]:
    """Those of which a shape takes some: the filter's, and being before the place of a cursor."""
    entry = tables.timeline.c
    key = (entry.occurred_at, entry.position)
    place = (sa.bindparam(column.name, type_=column.type) for column in key)
    return {
        "type": entry.type == sa.bindparam("type"),
        "kind": entry.kind == sa.bindparam("kind"),
        "since": entry.occurred_at >= sa.bindparam("since"),
        "until": entry.occurred_at < sa.bindparam("until"),
        "after": entry.position > sa.bindparam("after"),
        "upto": entry.position <= sa.bindparam("upto"),
        "before": sa.tuple_(*key) < sa.tuple_(*place),
    }


def _ids_of(tables: TimelineTables) -> sa.CompoundSelect[*tuple[Any, ...]]:
    customer_id = sa.bindparam("customer_id", type_=sa.Text)
    linked = (
        sa.select(identities.c.anonymous_id)
        .join(tables.links, tables.links.c.identity_id == identities.c.identity_id)
        .where(tables.links.c.customer_id == customer_id, identities.c.anonymous_id.is_not(None))
    )
    return sa.select(customer_id.label("customer_id")).union_all(linked)


_ids = compiled(_ids_of)
