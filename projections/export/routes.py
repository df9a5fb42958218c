"""``GET /v1/customers/{customer_id}/export``."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response import Stream

from app.http.access import requires
from app.http.context import metadata_of
from app.kernel.ids import check_id
from projections.export.lines import (
    EventLine,
    ExportLine,
    Exports,
    LastLine,
    ProfileLine,
    QuarantinedLine,
)

MEDIA_TYPE = "application/jsonl"


def export_routes(exports: Exports) -> list[HTTPRouteHandler]:
    """The route of the export."""

    @get(
        "/v1/customers/{customer_id:str}/export",
        opt=requires("export:read"),
        tags=["Customers"],
        summary="Export a customer",
        media_type=MEDIA_TYPE,
        responses={
            200: ResponseSpec(
                ProfileLine | EventLine | QuarantinedLine | ExportLine | LastLine,
                generate_examples=False,
                media_type=MEDIA_TYPE,
                description="A JSON object a line: the profile, each event, what is quarantined, "
                "the exports before, and that it is all.",
            )
        },
    )
    async def export_customer(
        request: Request[Any, Any, Any], customer_id: FromPath[str]
    ) -> Stream:
        """Everything that is held about a customer, decrypted, as JSON Lines.

        The first line is `{"profile": …}`; then comes an `{"event": …}` for each event of the
        customer and of the visitors that it turned out to be, in order; then a
        `{"quarantined": …}` for each of their events that did not fit its type, and an
        `{"export": …}` for each time that this was asked for before. The last line is
        `{"complete": …}`, without which the export broke off. That it was asked for is recorded.
        """
        check_id(customer_id, field="customer_id")
        lines = await exports.of(customer_id, metadata_of(request.scope))
        return Stream(lines, media_type=MEDIA_TYPE)

    return [export_customer]
