"""The table of inboxes: a row a message."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class InboxTables:
    """The tables of one generation."""

    inbox: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> InboxTables:
    """Declare them. A message is found by its id when it is read, and listed by its position.

    Those that are still unread are counted with each page, so they have an index of their own.
    """
    inbox = sa.Table(
        f"inbox{suffix}",
        metadata,
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("message_id", sa.Text(collation="C"), primary_key=True),
        sa.Column(
            "position", sa.BigInteger, nullable=False, comment="of the event that put it here"
        ),
        sa.Column("data", JSONB, nullable=False, comment="of that event; the words are sealed"),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), comment="null: it is unread"),
        sa.Index(None, "customer_id", "position"),
        sa.Index(
            f"inbox{suffix}_unread_idx",
            "customer_id",
            "position",
            postgresql_where=sa.text("read_at IS NULL"),
        ),
    )
    return InboxTables(inbox)
