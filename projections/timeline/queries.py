"""A customer's timeline: newest first, with what happened to the visitors it turned out to be."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict, astuple

from app.eventstore.seeing import seen
from app.eventstore.tables import identities
from app.eventstore.upcasting import UpcastColumns, Upcaster, upcast_columns
from app.kernel.cipher import View, as_stored
from app.kernel.declared import NOTHING_DECLARED, DeclaredTypes
from app.kernel.event import ACTIVITY, EventCatalogue, RecordedEvent, kind_of
from projections.as_of import Past
from projections.reading import LIMIT, AnyRow, Query, ReadModels, compiled, parked
from projections.timeline import TIMELINE
from projections.timeline.tables import TimelineTables
from projections.timeline.titles import Values, render_title


class TimelineEntry(RecordedEvent, frozen=True):
    """An event on a timeline."""

    title: Annotated[str, Meta(examples=["Product Added"])]
    """What happened, in words, as the event's type declares them."""
    kind: Annotated[str, Meta(examples=["activity"])]
    """What it is about, such as ``order`` or ``payment``; ``activity`` for what was sent, unless
    its type is declared to be of another kind.
    """


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
        event_types: DeclaredTypes = NOTHING_DECLARED,
    ) -> None:
        """Take what the types' wording comes from, and what brings older entries up to date."""
        self._models = models
        self._catalogue = catalogue
        self._upcast = upcast_columns(upcasters)
        self._event_types = event_types

    async def page(
        self,
        customer_id: str,
        *,
        only: TimelineFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
        as_of: Past | None = None,
        view: View = as_stored,
    ) -> TimelinePage:
        """Entries by when they happened, then by position, newest first; none for nobody.

        `as_of`: those that were there then; `view`: as who asks may see them. Raises
        `InvalidInput` for a cursor that is none, and what `ReadModels.rows` or `Past.rows` raises.
        """
        values = {name: value for name, value in asdict(only).items() if value is not None}
        shape, scope = frozenset(values), (TIMELINE.name, customer_id)
        if only.kind is not None:
            values |= self._types_by_kind(only.kind)
        if cursor is not None:
            shape |= {"before"}
            values |= self._models.cursors.decode(cursor, _Place, *scope)._asdict()
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
        events = [_event(row) for row in rows[:limit] if row[0] is not None]
        entries = await self.entries_of(events, view)
        if len(rows) <= limit:
            return TimelinePage(entries, None, stale)
        last = entries[-1]
        place = _Place(last.occurred_at, last.position)
        cursor = self._models.cursors.encode(place, *scope)
        return TimelinePage(entries, cursor, stale)

    async def ids_of(self, customer_id: str, *, min_position: int | None = None) -> list[str]:
        """The ids that a customer's events stand under: its own, and linked visitors' (``~…``)."""
        rows = await self._models.rows(
            TIMELINE, _ids, {"customer_id": customer_id}, min_position=min_position
        )
        return [row[0] for row in rows]

    async def entries_of(
        self, events: Sequence[RecordedEvent], view: View = as_stored
    ) -> list[TimelineEntry]:
        """The entries that events of the log become, titles included, as the view has them."""
        return [self._entry_of(event) for event in await seen(events, view)]

    def _entry_of(self, event: RecordedEvent) -> TimelineEntry:
        kind = kind_of(event.stream, event.type)
        values: Values = dict
        if kind == ACTIVITY:
            template = self._event_types.title_template(event.type)
            kind = self._event_types.kinds().get(event.type, kind)
        else:
            template = self._catalogue.title_template(event.type)
            values = partial(self._catalogue.title_values, event.type)
        title = event.type if template is None else render_title(template, event.data, values)
        fields = (*astuple(event), title, kind)
        return TimelineEntry(*fields)

    def _types_by_kind(self, kind: str) -> dict[str, list[str]]:
        """The declared types that are of a kind, and those that are not what the table says.

        Kinds are declared after events were sent, so a rebuild must not be what makes them right:
        the table has `activity` for all that was sent.
        """
        kinds = self._event_types.kinds()
        return {
            "types_of_kind": [name for name, declared in kinds.items() if declared == kind],
            "types_of_others": [
                name for name, declared in kinds.items() if ACTIVITY == kind != declared
            ],
        }


def _event(row: AnyRow) -> RecordedEvent:
    fields = (*row[:7], Raw(row[7].encode()), Raw(row[8].encode()), *row[9:-1])
    return RecordedEvent(*fields)


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
        "kind": sa.or_(
            sa.and_(
                entry.kind == sa.bindparam("kind"), entry.type != sa.all_(_types("types_of_others"))
            ),
            sa.and_(
                entry.kind == sa.literal_column(f"'{ACTIVITY}'"),
                entry.type == sa.any_(_types("types_of_kind")),
            ),
        ),
        "since": entry.occurred_at >= sa.bindparam("since"),
        "until": entry.occurred_at < sa.bindparam("until"),
        "after": entry.position > sa.bindparam("after"),
        "upto": entry.position <= sa.bindparam("upto"),
        "before": sa.tuple_(*key) < sa.tuple_(*place),
    }


def _types(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=sa.ARRAY(sa.Text))


def _ids_of(tables: TimelineTables) -> sa.CompoundSelect[*tuple[Any, ...]]:
    customer_id = sa.bindparam("customer_id", type_=sa.Text)
    linked = (
        sa.select(identities.c.anonymous_id)
        .join(tables.links, tables.links.c.identity_id == identities.c.identity_id)
        .where(tables.links.c.customer_id == customer_id, identities.c.anonymous_id.is_not(None))
    )
    return sa.select(customer_id.label("customer_id")).union_all(linked)


_ids = compiled(_ids_of)
