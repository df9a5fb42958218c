"""``GET /v1/projections`` and ``GET /v1/projections/{name}/parked``."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.eventstore.parking import MAX_PARKED_KEYS
from app.http.access import requires
from projections.queries import ParkedKeyList, ProjectionList, ProjectionQueries

_TAGS = ["Projections"]

Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_PARKED_KEYS, description="How many at the most.")
]


def projection_routes(projections: ProjectionQueries) -> list[HTTPRouteHandler]:
    """The routes of what is told of projections."""

    @get(
        "/v1/projections",
        opt=requires("projections:admin"),
        tags=_TAGS,
        summary="List the projections",
    )
    async def list_projections() -> ProjectionList:
        """How far each read model has come, how far behind it is, and what it leaves out."""
        return await projections.all()

    @get(
        "/v1/projections/{name:str}/parked",
        opt=requires("projections:admin"),
        tags=_TAGS,
        summary="List parked keys",
    )
    async def list_parked_keys(
        *, name: FromPath[str], limit: Limit = MAX_PARKED_KEYS
    ) -> ParkedKeyList:
        """The keys whose events a read model leaves out, from one on that could not be applied.

        A key is a customer's id, or a stream's for events that are nobody's. `tidings projections
        retry` and `skip` take them up again.
        """
        return await projections.parked(name, limit=limit)

    return [list_projections, list_parked_keys]
