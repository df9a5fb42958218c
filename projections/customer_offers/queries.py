"""A customer's offers, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from app.kernel.cipher import View
from projections.customer_offers import CUSTOMER_OFFERS
from projections.customer_offers.tables import CustomerOfferTables
from projections.reading import LIMIT, Query, ReadModels, compiled, parked


class CustomerOffer(Struct, frozen=True):
    """An offer to a customer."""

    offer_id: Annotated[str, Meta(examples=["welcome:anna"])]
    position: Annotated[int, Meta(examples=[1042])]
    """Of its issue in the log; offers are in this order."""
    offer: Annotated[str, Meta(examples=["ten-percent"])]
    """What it is, in the words of whoever issued it."""
    code: Annotated[str | None, Meta(examples=["K7QX2MZP4A"])]
    """Masked for those who may not see it; null when nobody can any more."""
    expires_at: Annotated[datetime, Meta(examples=["2030-01-01T00:00:00Z"])]
    status: Literal["issued", "redeemed", "withdrawn", "expired"]
    issued_at: Annotated[datetime, Meta(examples=["2026-11-22T09:30:00Z"])]
    ended_at: Annotated[datetime | None, Meta(examples=[None])]
    """Null: it was not redeemed or withdrawn, and has not expired."""


class CustomerOfferPage(Struct, frozen=True):
    """Some offers, newest first, and where to go on."""

    items: Sequence[CustomerOffer]
    next_cursor: str | None
    """Null on the last page."""
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether something is missing, for an event could not be applied; see parked keys."""


class _Issued(Struct, frozen=True):
    """What the issue of an offer said, as somebody may see it."""

    offer: str
    code: str | None
    expires_at: datetime


class _Place(NamedTuple):
    before: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class CustomerOffers:
    """The offers to a store's customers."""

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
        view: View,
    ) -> CustomerOfferPage:
        """Offers to this very id, newest first, as the view has them; none for nobody.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        name, cursors = CUSTOMER_OFFERS.name, self._models.cursors
        values: dict[str, Any] = {"customer_id": customer_id, "limit": limit + 1}
        if cursor is not None:
            values |= cursors.decode(cursor, _Place, name, customer_id)._asdict()
        shape = frozenset({"before"} if cursor is not None else ())
        rows = await self._models.rows(
            CUSTOMER_OFFERS,
            lambda tables: _offers(tables, shape),
            values,
            min_position=min_position,
        )
        stale = rows[0][-1]
        found = [row for row in rows[:limit] if row[0] is not None]
        shown = await view([(customer_id, Raw(row[2].encode())) for row in found])
        offers = [_offer(row, data) for row, data in zip(found, shown, strict=True)]
        is_last = len(rows) <= limit
        place = None if is_last else cursors.encode(_Place(offers[-1].position), name, customer_id)
        return CustomerOfferPage(offers, place, stale)


def _offer(row: Sequence[Any], data: Raw) -> CustomerOffer:
    issued = msgspec.json.decode(data, type=_Issued)
    return CustomerOffer(
        offer_id=row[0],
        position=row[1],
        offer=issued.offer,
        code=issued.code,
        expires_at=issued.expires_at,
        status=row[4],
        issued_at=row[3],
        ended_at=row[5],
    )


@compiled
def _offers(tables: CustomerOfferTables, shape: frozenset[str]) -> Query:
    """Each row ends with whether something is missing; without offers there is one row of that."""
    row, customer_id = tables.customer_offers.c, sa.bindparam("customer_id", type_=sa.Text)
    conditions = {"before": row.position < sa.bindparam("before")}
    data = sa.cast(row.data, sa.Text).label("data")
    mine = (
        sa.select(row.offer_id, row.position, data, row.issued_at, row.status, row.ended_at)
        .where(row.customer_id == customer_id, *(conditions[name] for name in sorted(shape)))
        .order_by(row.position.desc())
        .limit(LIMIT)
        .subquery("mine")
    )
    is_stale = parked(tables.customer_offers.name, customer_id)
    whole = sa.select(is_stale.label("stale")).subquery("whole")
    return (
        sa.select(*mine.c, whole.c.stale)
        .select_from(whole.outerjoin(mine, sa.true()))
        .order_by(mine.c.position.desc())
    )
