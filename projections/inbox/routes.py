"""``GET /v1/customers/{customer_id}/inbox``."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.http.access import principal_of, requires
from app.kernel.cipher import Discloses
from app.kernel.ids import check_id
from projections.inbox.queries import Inboxes, InboxPage
from projections.paging import DEFAULT_LIMIT
from projections.parameters import Cursor, Limit, MinPosition

Unread = Annotated[
    bool, QueryParameter(description="Only messages that the customer has not read yet.")
]


def inbox_routes(inboxes: Inboxes, discloses: Discloses) -> list[HTTPRouteHandler]:
    """The route of the query of an inbox."""

    @get(
        "/v1/customers/{customer_id:str}/inbox",
        opt=requires("messages:read", own="customer_id"),
        tags=["Messages"],
        summary="Read a customer's inbox",
    )
    async def read_inbox(
        *,
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        unread: Unread = False,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> InboxPage:
        """The messages to a customer, newest first, and how many of them are unread.

        Reading it marks nothing as read. Messages to linked visitors are not among them; they are
        read by the visitor's own id, `~…`. The inbox of an erased customer is empty.
        """
        return await inboxes.page(
            check_id(customer_id, field="customer_id"),
            only_unread=unread,
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            view=discloses.to(principal_of(request.scope)),
        )

    return [read_inbox]
