"""One call commits what rules decide on a stretch (`sql/commit_engagement.sql`).

Crash semantics are those of `app.reactions.commit`: before the call nothing has happened, and after
it everything has: the checkpoint has moved, and what is kept of customers says so.
"""

from datetime import datetime

from app.engagement.keeping import States
from app.eventstore.batch import Checkpoint, Span
from app.eventstore.database import Connection
from app.reactions.commit import races

_CALL = """
CALL commit_engagement(
    %(consumer)s, %(after)s, %(upto)s, %(row_version)s::xid, %(head)s, %(until)s::timestamptz,
    %(states)s::jsonb, %(request)s::jsonb
)
"""
_RECORD = "SELECT record_engagement(%(states)s::jsonb, NULL, NULL, %(request)s::jsonb)"


async def commit(
    connection: Connection,
    checkpoint: Checkpoint,
    span: Span,
    states: States,
    request: bytes | None,
    *,
    head: int | None = None,
    until: datetime | None = None,
) -> str:
    """Commit, with the checkpoint moved over the span; the version that its row has now.

    `head`: where the log has to end still, when its clock has come to `until`. Raises as
    `app.reactions.commit.commit` does.
    """
    values = {
        "consumer": checkpoint.consumer,
        "after": span.after,
        "upto": span.upto,
        "row_version": span.row_version,
        "head": head,
        "until": until,
        "states": states.encoded(),
        "request": request.decode() if request else None,
    }
    with races():
        cursor = await connection.execute(_CALL, values)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - for the type checker: the call answers one row
    version: str = row[0]
    return version


async def record(connection: Connection, states: States, request: bytes | None) -> None:
    """Record in the open transaction, as `app.reactions.commit.record` does."""
    values = {"states": states.encoded(), "request": request.decode() if request else None}
    with races():
        await connection.execute(_RECORD, values)
