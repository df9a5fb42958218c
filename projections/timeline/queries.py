"""A customer's timeline: newest first, with what happened to the visitors it turned out to be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import astuple

from app.eventstore.tables import identities
from app.eventstore.upcasting import Upcaster, upcast_columns
from app.kernel.event import ACTIVITY, EventCatalogue, RecordedEvent, kind_of
from projections.paging import decode_cursor, encode_cursor
from projections.reading import AnyRow, Query, ReadModels
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


class TimelineFilter(Struct, frozen=True):
    """What entries to show; None: all."""

    type: str | None = None
    kind: str | None = None
    since: datetime | None = None
    """Inclusive, by when it happened."""
    until: datetime | None = None
    """Exclusive."""


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
    ) -> TimelinePage:
        """Entries by when they happened, then by position, newest first; none for nobody.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        before = None if cursor is None else decode_cursor(cursor, _Place)

        def query(tables: TimelineTables) -> Query:
            return self._entries(tables, customer_id, only, before, limit + 1)

        rows = await self._models.rows(TIMELINE, query, min_position=min_position)
        entries = [self._entry(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return TimelinePage(entries, None)
        last = entries[-1]
        return TimelinePage(entries, encode_cursor(_Place(last.occurred_at, last.position)))

    async def ids_of(self, customer_id: str, *, min_position: int | None = None) -> list[str]:
        """The ids that a customer's events stand under: its own, and linked visitors' (``~…``)."""
        rows = await self._models.rows(
            TIMELINE, lambda tables: _ids_of(tables, customer_id), min_position=min_position
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
        fields = (*row[:7], Raw(row[7].encode()), Raw(row[8].encode()), *row[9:])
        return self.entry_of(RecordedEvent(*fields))

    def _entries(
        self,
        tables: TimelineTables,
        customer_id: str,
        only: TimelineFilter,
        before: _Place | None,
        limit: int,
    ) -> Query:
        """One range of the index for each id, joined laterally; a condition over all ids would
        read everything that each ever did.
        """
        timeline = tables.timeline.c
        people = _ids_of(tables, customer_id).subquery("people")
        newest_first = (timeline.occurred_at.desc(), timeline.position.desc())
        mine = (
            sa.select(*self._columns(tables))
            .where(timeline.customer_id == people.c.customer_id, *_conditions(tables, only, before))
            .order_by(*newest_first)
            .limit(limit)
            .lateral("mine")
        )
        return (
            sa.select(*mine.c)
            .select_from(people.join(mine, sa.true()))
            .order_by(mine.c.occurred_at.desc(), mine.c.position.desc())
            .limit(limit)
        )

    def _columns(self, tables: TimelineTables) -> list[sa.ColumnElement[Any]]:
        """The fields of a recorded event; JSON as text, which is passed on as it is."""
        timeline = tables.timeline.c
        data: sa.ColumnElement[Any] = sa.literal_column(f"({self._upcast.data})")
        version: sa.ColumnElement[Any] = sa.literal_column(f"({self._upcast.schema_version})")
        ours: dict[str, sa.ColumnElement[Any]] = {
            "data": sa.cast(data, sa.Text).label("data"),
            "metadata": sa.cast(timeline.metadata, sa.Text).label("metadata"),
            "schema_version": sa.type_coerce(version, sa.SmallInteger).label("schema_version"),
        }
        return [
            ours[name] if name in ours else timeline[name]
            for name in RecordedEvent.__struct_fields__
        ]


def _ids_of(tables: TimelineTables, customer_id: str) -> sa.CompoundSelect[*tuple[Any, ...]]:
    own = sa.select(sa.literal(customer_id, sa.Text).label("customer_id"))
    linked = (
        sa.select(identities.c.anonymous_id)
        .join(tables.links, tables.links.c.identity_id == identities.c.identity_id)
        .where(tables.links.c.customer_id == customer_id, identities.c.anonymous_id.is_not(None))
    )
    return own.union_all(linked)


def _conditions(
    tables: TimelineTables, only: TimelineFilter, before: _Place | None
) -> list[sa.ColumnElement[bool]]:
    timeline = tables.timeline.c
    conditions = []
    if only.type is not None:
        conditions.append(timeline.type == only.type)
    if only.kind is not None:
        conditions.append(timeline.kind == only.kind)
    if only.since is not None:
        conditions.append(timeline.occurred_at >= only.since)
    if only.until is not None:
        conditions.append(timeline.occurred_at < only.until)
    if before is not None:
        place = sa.tuple_(sa.literal(before.occurred_at), sa.literal(before.position))
        conditions.append(sa.tuple_(timeline.occurred_at, timeline.position) < place)
    return conditions
