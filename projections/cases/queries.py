"""Open cases, those that have waited longest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Struct

from projections.cases import CASES
from projections.cases.tables import CasesTables
from projections.reading import LIMIT, Query, ReadModels, compiled


class OpenCase(Struct, frozen=True):
    """A held transaction that an analyst is to decide on."""

    case_id: Annotated[str, Meta(examples=["t-1"])]
    """The transaction's id, too."""
    customer_id: Annotated[str, Meta(examples=["anna"])]
    opened_at: Annotated[datetime, Meta(examples=["2026-11-22T09:45:00Z"])]
    position: Annotated[int, Meta(examples=[1042])]
    """Of the event by which it was opened."""


class CasePage(Struct, frozen=True):
    """Some open cases, the oldest first, and where to go on."""

    items: Sequence[OpenCase]
    next_cursor: str | None
    """Null on the last page."""


class _Place(NamedTuple):
    after: int


class Cases:
    """The open cases of a store."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def page(
        self, *, limit: int, cursor: str | None = None, min_position: int | None = None
    ) -> CasePage:
        """Cases in the order in which they were opened.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        cursors = self._models.cursors
        (after,) = cursors.decode(cursor, _Place, CASES.name) if cursor else (0,)
        values = {"after": after, "limit": limit + 1}
        rows = await self._models.rows(CASES, _cases, values, min_position=min_position)
        cases = [OpenCase(*row) for row in rows[:limit]]
        if len(rows) <= limit:
            return CasePage(cases, None)
        return CasePage(cases, cursors.encode(_Place(cases[-1].position), CASES.name))


@compiled
def _cases(tables: CasesTables) -> Query:
    case = tables.cases.c
    return (
        sa.select(case.case_id, case.customer_id, case.opened_at, case.position)
        .where(case.position > sa.bindparam("after", type_=sa.BigInteger))
        .order_by(case.position)
        .limit(LIMIT)
    )
