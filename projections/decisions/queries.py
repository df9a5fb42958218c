"""What rules decided on a customer, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict

from app.engagement.events import Did, Held, Outcome
from app.eventstore.tables import events
from app.eventstore.upcasting import UpcastColumns, Upcaster, upcast_columns
from app.kernel.cipher import View
from projections.decisions import DECISIONS
from projections.decisions.tables import DecisionsTables
from projections.reading import LIMIT, Query, ReadModels, compiled

_OBJECT = {"extra": {"type": "object"}}


class Decided(Struct, frozen=True):
    """What was decided, as `decision.made` says it."""

    rule: Annotated[str, Meta(examples=["abandoned-cart"])]
    rule_version: Annotated[int, Meta(examples=[2])]
    instance: UUID
    """Of the rule, for one customer and key: from its trigger to its end."""
    step: Annotated[str, Meta(examples=["pattern"])]
    outcome: Outcome
    at: datetime
    """The log's time at which it was decided."""
    trigger: UUID
    """The event that it began with."""
    cause: UUID
    """The event that it was decided on."""
    inputs: Annotated[Raw, Meta(examples=[{"event.data.amount": 120}], extra_json_schema=_OBJECT)]
    """What its expressions have seen; sensitive values are masked without `pii:read`."""
    held: Sequence[Held] = ()
    """Why something was not done, not at once, or not as wished first."""
    did: Sequence[Did] = ()


class Decision(Decided, frozen=True, kw_only=True):
    """A decision, and where it stands."""

    event_id: UUID
    """Of `decision.made`: `GET /v1/events/{event_id}/why` tells how it came to that."""
    position: Annotated[int, Meta(examples=[1042])]
    recorded_at: datetime


class DecisionPage(Struct, frozen=True):
    """Some decisions, newest first, and where to go on."""

    items: Sequence[Decision]
    next_cursor: str | None
    """Null on the last page."""


class DecisionFilter(Struct, frozen=True):
    """Which to show; None: all."""

    rule: str | None = None
    outcome: str | None = None


class _Place(NamedTuple):
    before: Annotated[int, Meta(ge=0, le=2**63 - 1)]


_decoder = msgspec.json.Decoder(Decided)


class Decisions:
    """The decisions of a store."""

    def __init__(self, models: ReadModels, upcasters: Sequence[Upcaster] = ()) -> None:
        """Take how to read, and what brings older events up to date."""
        self._models = models
        self._upcast = upcast_columns(upcasters)

    async def page(
        self,
        customer_id: str,
        only: DecisionFilter,
        *,
        view: View,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> DecisionPage:
        """Those on this very id, as the view has them; none for nobody.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values: dict[str, Any] = {k: v for k, v in asdict(only).items() if v is not None}
        scope, shape = (DECISIONS.name, customer_id), frozenset(values)
        if cursor is not None:
            shape |= {"before"}
            values |= self._models.cursors.decode(cursor, _Place, *scope)._asdict()
        rows = await self._models.rows(
            DECISIONS,
            lambda tables: _decisions(tables, self._upcast, shape),
            {"customer_id": customer_id, "limit": limit + 1, **values},
            min_position=min_position,
        )
        seen = await view([(customer_id, Raw(data.encode())) for *_, data in rows[:limit]])
        found = [
            Decision(
                **asdict(_decoder.decode(data)),
                event_id=row[0],
                position=row[1],
                recorded_at=row[2],
            )
            for row, data in zip(rows, seen, strict=False)
        ]
        if len(rows) <= limit:
            return DecisionPage(found, None)
        place = _Place(found[-1].position)
        return DecisionPage(found, self._models.cursors.encode(place, *scope))


@compiled
def _decisions(tables: DecisionsTables, upcast: UpcastColumns, shape: frozenset[str]) -> Query:
    """The places of the decisions, and their events from the log."""
    row = tables.decisions.c
    conditions = {
        "rule": row.rule == sa.bindparam("rule"),
        "outcome": row.outcome == sa.bindparam("outcome"),
        "before": row.position < sa.bindparam("before", type_=sa.BigInteger),
    }
    places = (
        sa.select(row.position.label("place"))
        .where(row.customer_id == sa.bindparam("customer_id", type_=sa.Text))
        .where(*(conditions[name] for name in sorted(shape)))
        .order_by(row.position.desc())
        .limit(LIMIT)
        .subquery("places")
    )
    data: sa.ColumnElement[Any] = sa.literal_column(f"({upcast.data})")
    return (
        sa.select(
            events.c.event_id,
            events.c.position,
            events.c.recorded_at,
            sa.cast(data, sa.Text).label("data"),
        )
        .select_from(places.join(events, events.c.position == places.c.place))
        .order_by(events.c.position.desc())
    )
