"""``GET /v1/timers`` and ``GET /v1/reactions``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing
from app.http.access import requires
from app.kernel.cursors import Cursors
from app.kernel.policy import MAX_TIMER_KEY_CHARACTERS
from app.reactions.status import ReactionsStatus, reactions_status
from app.reactions.waiting import MAX_PAGE_TIMERS, Timer, waiting_timers

Prefix = Annotated[
    str,
    QueryParameter(
        max_length=MAX_TIMER_KEY_CHARACTERS, description="Of the key: `payment-timeout:`."
    ),
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_PAGE_TIMERS, description="How many timers at the most.")
]


class TimerPage(Struct, frozen=True):
    """Some timers, and where to go on."""

    items: Sequence[Timer]
    next_cursor: str | None
    """Null on the last page."""


def reaction_routes(
    pool: AsyncConnectionPool[Connection], cursors: Cursors
) -> list[HTTPRouteHandler]:
    """The routes of what is told of reactions."""

    @get("/v1/timers", opt=requires("timers:read"), tags=["Reactions"], summary="List timers")
    async def list_timers(
        prefix: Prefix = "", cursor: FromQuery[str | None] = None, limit: Limit = 100
    ) -> TimerPage:
        """The commands that wait for their time, those that are due first."""
        query = ("timers", prefix)
        after = cursors.decode(cursor, tuple[datetime, str], *query) if cursor else None
        timers = await waiting_timers(pool, prefix, after=after, limit=limit + 1)
        page = timers[:limit]
        if len(timers) == len(page):
            return TimerPage(page, None)
        place = (page[-1].next_try_at, page[-1].key)
        return TimerPage(page, cursors.encode(place, *query))

    @get(
        "/v1/reactions",
        opt=requires("timers:read"),
        tags=["Reactions"],
        summary="Show how reactions are doing",
    )
    async def show_reactions() -> ReactionsStatus:
        """How far the reactor has come, what it leaves out, and which timers wait.

        `tidings reactions retry` and `skip` take up again what is left out.
        """
        return await borrowing(pool, reactions_status)

    return [list_timers, show_reactions]
