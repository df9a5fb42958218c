"""Timers that wait, for people to look at."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch

MAX_PAGE_TIMERS = 1_000

# One walk along the index; a prefix is looked for on the way.
_WAITING = b"""
SELECT key, due_at, next_try_at, category || '-' || thing_id, command ->> 'type', customer_id,
    set_at, error
FROM timers
WHERE (next_try_at, key) > (coalesce(%(at)s, '-infinity'::timestamptz), %(key)s)
    AND starts_with(key, %(prefix)s)
ORDER BY next_try_at, key LIMIT %(limit)s
"""


class Timer(Struct, frozen=True):
    """A command for later."""

    key: Annotated[str, Meta(examples=["payment-timeout:order-42"])]
    due_at: datetime
    next_try_at: datetime
    """Later than due where firing it has failed."""
    stream: Annotated[str, Meta(examples=["order-42"])]
    """What the command is for."""
    command: Annotated[str, Meta(examples=["expire"])]
    customer_id: Annotated[str | None, Meta(examples=["anna"])]
    set_at: datetime
    error: str | None = None
    """Why it has not fired although it was due."""


async def waiting_timers(
    pool: AsyncConnectionPool[Connection],
    prefix: str = "",
    *,
    after: tuple[datetime, str] | None = None,
    limit: int = MAX_PAGE_TIMERS,
) -> list[Timer]:
    """Timers whose keys begin so, by when they are tried; behind one of them, if that is given."""
    at, key = after or (None, "")
    values = {"at": at, "key": key, "prefix": prefix, "limit": limit}
    return [Timer(*row) for row in await fetch(pool, _WAITING, values)]
