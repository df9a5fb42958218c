"""A customer's inbox, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from app.kernel.cipher import View
from app.modules.messages.events import Priority
from projections.inbox import INBOX
from projections.inbox.tables import InboxTables
from projections.reading import LIMIT, Query, ReadModels, compiled, parked


class InboxMessage(Struct, frozen=True):
    """A message to a customer."""

    message_id: Annotated[str, Meta(examples=["order-confirmed:42"])]
    position: Annotated[int, Meta(examples=[1042])]
    """Of the event that put it there; messages are in this order."""
    kind: Annotated[str, Meta(examples=["order-confirmed"])]
    """What it is about, in the words of whoever sent it."""
    text: Annotated[str | None, Meta(examples=["Your order 42 is on its way."])]
    """Masked for those who may not see it; null when nobody can any more."""
    subject: Annotated[str | None, Meta(examples=[None])]
    """As its template has it; null: there is none."""
    priority: Priority
    requested_at: Annotated[datetime, Meta(examples=["2026-11-22T09:30:00Z"])]
    """When it came to be there."""
    read_at: Annotated[datetime | None, Meta(examples=["2026-11-22T09:42:30Z"])]
    """Null: it is unread."""


class InboxPage(Struct, frozen=True):
    """Some messages, newest first, and where to go on."""

    items: Sequence[InboxMessage]
    next_cursor: str | None
    """Null on the last page."""
    unread: Annotated[int, Meta(examples=[3])]
    """How many of all the customer's messages are unread."""
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether messages are missing, for an event could not be applied; see parked keys."""


class _Words(Struct, frozen=True):
    """What the event that put a message there said, as somebody may see it."""

    kind: str
    text: str | None
    subject: str | None = None
    priority: Priority = Priority.NORMAL


class _Place(NamedTuple):
    before: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Inboxes:
    """The inboxes of a store's customers."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def page(
        self,
        customer_id: str,
        *,
        only_unread: bool = False,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
        view: View,
    ) -> InboxPage:
        """Messages to this very id, newest first, as the view has them; none for nobody.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values: dict[str, Any] = {"customer_id": customer_id, "limit": limit + 1}
        shape = frozenset({"unread"} if only_unread else ())
        if cursor is not None:
            shape |= {"before"}
            place = self._models.cursors.decode(cursor, _Place, INBOX.name, customer_id)
            values |= place._asdict()
        rows = await self._models.rows(
            INBOX, lambda tables: _messages(tables, shape), values, min_position=min_position
        )
        unread, stale = rows[0][-2:]
        found = [row for row in rows[:limit] if row[0] is not None]
        shown = await view([(customer_id, Raw(row[2].encode())) for row in found])
        messages = [
            message_of(row[0], row[1], data, requested_at=row[3], read_at=row[4])
            for row, data in zip(found, shown, strict=True)
        ]
        if len(rows) <= limit:
            return InboxPage(messages, None, unread, stale)
        place = _Place(messages[-1].position)
        cursor = self._models.cursors.encode(place, INBOX.name, customer_id)
        return InboxPage(messages, cursor, unread, stale)


def message_of(
    message_id: str,
    position: int,
    data: Raw,
    *,
    requested_at: datetime,
    read_at: datetime | None = None,
) -> InboxMessage:
    """A message from the data of the event that put it there, as somebody may see it."""
    words = msgspec.json.decode(data, type=_Words)
    return InboxMessage(
        message_id,
        position,
        words.kind,
        words.text,
        words.subject,
        words.priority,
        requested_at,
        read_at,
    )


@compiled
def _messages(tables: InboxTables, shape: frozenset[str]) -> Query:
    """Each row ends with what is true of the whole inbox; an empty one has one row of just that."""
    row, customer_id = tables.inbox.c, sa.bindparam("customer_id", type_=sa.Text)
    is_theirs, is_unread = row.customer_id == customer_id, row.read_at.is_(None)
    conditions = {"unread": is_unread, "before": row.position < sa.bindparam("before")}
    data = sa.cast(row.data, sa.Text).label("data")
    mine = (
        sa.select(row.message_id, row.position, data, row.requested_at, row.read_at)
        .where(is_theirs, *(conditions[name] for name in sorted(shape)))
        .order_by(row.position.desc())
        .limit(LIMIT)
        .subquery("mine")
    )
    unread = sa.select(sa.func.count()).where(is_theirs, is_unread).scalar_subquery()
    is_stale = parked(tables.inbox.name, customer_id)
    whole = sa.select(unread.label("unread"), is_stale.label("stale")).subquery("whole")
    return (
        sa.select(*mine.c, whole.c.unread, whole.c.stale)
        .select_from(whole.outerjoin(mine, sa.true()))
        .order_by(mine.c.position.desc())
    )
