"""``POST /v1/projections/{name}/rebuild``."""

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct
from psycopg_pool import AsyncConnectionPool

from app.eventstore.acts import Acts
from app.eventstore.database import Connection, borrowing
from app.http.access import requires
from app.http.context import metadata_of
from app.modules.operations.events import RebuildRequested
from projections.filling import JOBS
from projections.generations import next_generation
from projections.options import RebuildOptions
from projections.projection import Generation, Projection


class RebuildWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """How it is to be built."""

    accept_differences: Annotated[
        bool,
        Meta(
            description="The log is right: queries read what it makes, even where that differs from"
            " what they read so far. The differences are logged.",
            examples=[True],
        ),
    ] = False


class RebuildAccepted(Struct, frozen=True):
    """What will be built."""

    projection: Annotated[str, Meta(examples=["timeline"])]
    generation: Annotated[int, Meta(examples=[2])]
    """Its number; queries read it when it is whole."""


def rebuild_routes(
    pool: AsyncConnectionPool[Connection],
    projection_named: Callable[[str], Projection[Any]],
    acts: Acts,
) -> list[HTTPRouteHandler]:
    """The routes that ask for rebuilds: of the projections that are found by name (`NotFound`).

    Who asked for what is recorded as an act.
    """

    @post(
        "/v1/projections/{name:str}/rebuild",
        opt=requires("projections:admin"),
        tags=["Projections"],
        summary="Rebuild a read model",
        status_code=202,
    )
    async def rebuild_read_model(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[RebuildWanted | None] = None,
    ) -> RebuildAccepted:
        """A projector builds a new generation from the log, beside the one that queries read.

        Asked again while that is being built, it answers the same. The body may be left out.
        """
        projection = projection_named(name)
        accept = data is not None and data.accept_differences
        asked = RebuildRequested(name, accept_differences=accept)
        await acts.record(asked.stream, asked, metadata_of(request.scope))
        options = RebuildOptions(accept_differences=accept)

        async def ask(connection: Connection) -> Generation[Any]:
            return await next_generation(connection, projection, shards=JOBS, options=options)

        generation = await borrowing(pool, ask)
        return RebuildAccepted(name, generation.number)

    return [rebuild_read_model]
