"""``GET /v1/audit``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from app.http.access import requires
from app.kernel.clock import instant
from projections.audit.queries import ActFilter, ActPage, Audit
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, EventType, Limit, MinPosition, filter_text

Actor = Annotated[
    str | None,
    QueryParameter(description="Only what this one did, such as `key:3kTMd1AqzX0b` or `cli:ann`."),
]
From = Annotated[
    str | None,
    QueryParameter(
        name="from",
        description="Only what was recorded at this time or later, such as `2026-11-22T09:30:00Z`.",
    ),
]
To = Annotated[
    str | None, QueryParameter(name="to", description="Only what was recorded before this time.")
]


def audit_routes(audit: Audit) -> list[HTTPRouteHandler]:
    """The route of the audit."""

    @get("/v1/audit", opt=requires("audit:read"), tags=["Audit"], summary="Read the audit")
    async def read_audit(
        *,
        actor: Actor = None,
        event_type: EventType = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> ActPage:
        """What those who run the store did, over HTTP or on the command line; newest first.

        Each act is an event of the log, whose metadata says who did it (`actor`), and in which
        request (`request_id`).
        """
        only = ActFilter(
            actor=filter_text(actor, field="actor"),
            type=filter_text(event_type, field="type"),
            since=None if from_ is None else instant(from_, field="from"),
            until=None if to is None else instant(to, field="to"),
        )
        return await audit.page(only, limit=limit, cursor=cursor, min_position=min_position)

    return [read_audit]
