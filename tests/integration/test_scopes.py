"""The reference lists every route that is served, documented in OpenAPI or not, with its scope."""

import asyncio
from typing import Any

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.bootstrap.api import opened_api
from app.eventstore.database import Database
from app.http.access import permission_of
from app.kernel.principal import EVERYTHING, SCOPES
from app.settings import read_settings
from tests.fixtures.markdown import DOCS
from tests.fixtures.routes import Route, documented_routes
from tests.integration.conftest import on_one_server

pytestmark = [pytest.mark.anyio, on_one_server]


def routes_of(framework: Litestar) -> list[Route]:
    return [
        Route(
            str(method),
            route.path_format,
            permission.scope,
            permission.own is not None,
            bool(handler.opt.get("signed")),
        )
        for route in framework.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS"  # the framework's own, which tell the methods of a path
        for permission in [permission_of(handler)]
    ]


async def test_every_route_is_listed_with_its_scope_and_no_other(database: Database) -> None:
    settings = read_settings({"TIDINGS_SECRET": "s" * 32})
    async with opened_api(settings, database, asyncio.Event()) as api:
        front: Any = api
        served = routes_of(front._app)
    listed = documented_routes()
    assert len(listed) == len(set(listed))
    assert set(listed) == set(served)


def test_every_scope_is_explained(server: object) -> None:
    guide = (DOCS / "how-to" / "api-keys.md").read_text("utf-8")
    assert [scope for scope in (*SCOPES, EVERYTHING) if f"`{scope}`" not in guide] == []
