"""The documentation page and the document that it shows; both need nothing but this server.

The page is made here rather than by one of the well-known browser programs: no package that is kept
up to date ships one without a web framework, and a megabyte of script from elsewhere would act with
the rights of whoever reads the page.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from app.http.access import PUBLIC
from app.http.docs_page import documentation_page
from app.http.examples import Document
from app.http.openapi import openapi_document


def documentation_routes(
    route_handlers: Sequence[ControllerRouterHandler], *, version: str
) -> list[HTTPRouteHandler]:
    """``GET /openapi.json`` and ``GET /docs``, to which ``/`` leads."""

    @cache
    def document() -> Document:
        return openapi_document(route_handlers, version=version)

    @get("/openapi.json", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
    def show_openapi() -> Response[bytes]:
        return Response(msgspec.json.encode(document()), media_type="application/json")

    @get("/docs", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
    def show_documentation(request: Request[Any, Any, Any]) -> Response[str]:
        style, script = _asset("docs.css"), _asset("docs.js")
        page = documentation_page(
            document(), base_url=str(request.base_url).rstrip("/"), style=style, script=script
        )
        headers = {"Content-Security-Policy": _content_security_policy(style, script)}
        return Response(page, media_type="text/html", headers=headers)

    @get("/", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def lead_to_documentation() -> Redirect:
        return Redirect("/docs")

    return [show_openapi, show_documentation, lead_to_documentation]


def _asset(name: str) -> str:
    return files("app.http").joinpath(name).read_text("utf-8")


def _content_security_policy(style: str, script: str) -> str:
    """Nothing runs, is shown or is talked to but the page's own parts and this server."""
    return (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'; style-src {_hash_of(style)}; "
        f"script-src {_hash_of(script)}"
    )


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
