"""A driver's open offers, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from app.kernel.cipher import View
from app.kernel.clock import Clock
from projections.offers import OFFERS
from projections.offers.tables import OffersTables
from projections.reading import LIMIT, Query, ReadModels, compiled


class Offer(Struct, frozen=True):
    """A ride that a driver may claim."""

    ride_id: Annotated[str, Meta(examples=["7"])]
    round: Annotated[int, Meta(examples=[1])]
    """How often the ride was offered, this time included."""
    expires_at: Annotated[datetime, Meta(examples=["2026-11-22T09:30:20Z"])]
    pickup: Annotated[str | None, Meta(examples=["Kanalstraße 3"])]
    """Where the ride begins; masked without `pii:read`, null where the rider was erased."""
    position: Annotated[int, Meta(examples=[1042])]
    """Of the event by which it was offered."""


class OfferPage(Struct, frozen=True):
    """Some offers, newest first, and where to go on."""

    items: Sequence[Offer]
    next_cursor: str | None
    """Null on the last page."""


class _Place(NamedTuple):
    before: int


class _Data(Struct, frozen=True):
    round: int
    expires_at: datetime
    pickup: str | None


_decoder = msgspec.json.Decoder(_Data)

Stored = tuple[str, int, str | None, Raw]
"""A ride's id, the offer's position, whose ride it is, and the data of `ride.offered`."""


class Offers:
    """The open offers of a store."""

    def __init__(self, models: ReadModels, clock: Clock) -> None:
        """Take how to read, and the store's time."""
        self._models = models
        self._clock = clock

    async def page(
        self,
        driver_id: str,
        *,
        view: View,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
    ) -> OfferPage:
        """Those that have not expired, even if that is not recorded yet, as the view has them.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        scope = (OFFERS.name, driver_id)
        is_first = cursor is None
        values: dict[str, Any] = {
            "driver_id": driver_id,
            "now": self._clock(),
            "limit": limit + 1,
        }
        if cursor is not None:
            values |= self._models.cursors.decode(cursor, _Place, *scope)._asdict()
        rows = await self._models.rows(
            OFFERS, lambda tables: _offers(tables, is_first), values, min_position=min_position
        )
        stored = [(*row[:3], Raw(row[3].encode())) for row in rows[:limit]]
        offers = await seen_offers(stored, view)
        if len(rows) <= limit:
            return OfferPage(offers, None)
        return OfferPage(offers, self._models.cursors.encode(_Place(offers[-1].position), *scope))


async def seen_offers(stored: Sequence[Stored], view: View) -> list[Offer]:
    """Offers as the view has them."""
    seen = await view([(customer_id, data) for _, _, customer_id, data in stored])
    return [
        Offer(ride_id, data.round, data.expires_at, data.pickup, position)
        for (ride_id, position, *_), data in zip(stored, map(_decoder.decode, seen), strict=True)
    ]


@compiled
def _offers(tables: OffersTables, is_first: bool) -> Query:
    offer = tables.offers.c
    query = sa.select(
        offer.ride_id, offer.position, offer.customer_id, sa.cast(offer.data, sa.Text).label("data")
    ).where(
        offer.driver_id == sa.bindparam("driver_id", type_=sa.Text),
        offer.expires_at > sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    )
    if not is_first:
        query = query.where(offer.position < sa.bindparam("before", type_=sa.BigInteger))
    return query.order_by(offer.position.desc()).limit(LIMIT)
