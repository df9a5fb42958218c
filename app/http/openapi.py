"""The API's OpenAPI 3.1 document: Litestar's, with our problems, headers and whole examples."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from app.http.access import permission_of
from app.http.examples import Document, example_of
from app.http.fields import Nothing
from app.http.problems import MEDIA_TYPE, Problem

_SCHEMAS = "#/components/schemas/"
_PROBLEM = {"$ref": "#/components/responses/Problem"}
_NOTHING = {"$ref": f"{_SCHEMAS}{Nothing.__name__}"}
_JSON = "application/json"
_JSON_LINES = "application/jsonl"
_SECURITY_SCHEMES = {
    "ApiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, such as `tdg_live_3kTMd1AqzX0b_…`.",
    },
    "ApiKeyAsUserName": {
        "type": "http",
        "scheme": "basic",
        "description": "An API key as the user name; the password is not looked at.",
    },
    "Token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the OpenID provider that the store trusts, or of a customer, "
        "for the own profile, timeline, visits, inbox and preferences.",
    },
}


def openapi_document(
    route_handlers: Sequence[ControllerRouterHandler], *, version: str
) -> Document:
    """The document for these routes; it takes a moment, so it is made when it is first wanted.

    Raises ValueError when two operations have one name, for client generators go by it.
    """
    config = OpenAPIConfig(
        title="Tidings",
        version=version,
        summary="Everything that happens to a customer, and what to do about it",
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, _method, _path: _name_of(handler),
    )
    app = Litestar(route_handlers, openapi_config=config, logging_config=None)
    document: Document = msgspec.to_builtins(app.openapi_schema.to_schema())
    _add_components(document.setdefault("components", {}))
    names = [operation["operationId"] for _, _, operation in operations(document)]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"operations share the names {', '.join(sorted(repeated))}")
    for path, method, operation in operations(document):
        _complete(operation, path, method, document)
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in document["paths"]:
            _tell_scopes(route, document)
    return document


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method in capitals, and description of each operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method.upper(), operation


def _name_of(handler: HTTPRouteHandler) -> str:
    return handler.handler_name


def _add_components(components: dict[str, Any]) -> None:
    _, schemas = msgspec.json.schema_components([Problem], ref_template=_SCHEMAS + "{name}")
    components.setdefault("schemas", {}).update(schemas)
    components["responses"] = {
        "Problem": {
            "description": "Any failure, as problem details (RFC 9457).",
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": f"{_SCHEMAS}Problem"},
                    "example": {
                        "type": "urn:tidings:problem:invalid-input",
                        "title": "The input is not valid",
                        "status": 400,
                        "detail": "Expected `str`, got `int`",
                        "field": "customer_id",
                        "request_id": "0199c5a4-5f0e-7c1d-9f83-0f6a3c1f2b7e",
                    },
                }
            },
        }
    }
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["parameters"] = {
        "CorrelationId": _header("X-Correlation-Id", "What chain of causes this belongs to."),
        "CausationId": _header("X-Causation-Id", "What caused this."),
        "RequestId": _header("X-Request-Id", "Your id for this request; it comes back."),
        "IdempotencyKey": _header(
            "Idempotency-Key", "Makes a repeat safe: the same key has one effect, for ever."
        ),
        "IfMatch": _header("If-Match", 'The version that the stream must have, such as `"7"`.'),
    }


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 200}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _complete(operation: dict[str, Any], path: str, method: str, document: Document) -> None:
    """Add what every operation has: problems, the headers that are understood, and examples."""
    _summarise(operation)
    responses = operation["responses"]
    responses.pop("400", None)  # Litestar's shape of an error, which ours replaces
    responses["default"] = _PROBLEM
    names = ["RequestId"]
    if method == "POST":
        names += ["CorrelationId", "CausationId", "IdempotencyKey"]
        names += ["IfMatch"] if "{" in path else []
    operation.setdefault("parameters", []).extend(
        {"$ref": f"#/components/parameters/{name}"} for name in names
    )
    body = operation.get("requestBody", {})
    _say_whether_required(body)
    for part in chain([body], responses.values()):
        content = part.get("content", {})
        if lines := content.get(_JSON_LINES):
            lines["examples"] = _examples_of_lines(lines["schema"], document)
        media = content.get(_JSON)
        if media and "example" not in media and "examples" not in media:
            media["example"] = example_of(media["schema"], document)


def _examples_of_lines(schema: dict[str, Any], document: Document) -> dict[str, Any]:
    """One for each kind of line, by its name."""
    return {
        kind["$ref"].removeprefix(_SCHEMAS): {"value": example_of(kind, document)}
        for kind in schema["oneOf"]
    }


def _tell_scopes(route: HTTPRoute, document: Document) -> None:
    """Say what each operation of a route takes (OpenAPI 3.1, security requirement)."""
    for method, (handler, _) in route.route_handler_map.items():
        operation = document["paths"][route.path_format].get(str(method).lower())
        scope = permission_of(handler).scope
        if operation and scope:
            operation["security"] = [{name: [scope]} for name in _SECURITY_SCHEMES]


def _say_whether_required(body: dict[str, Any]) -> None:
    """A body that may be null, or has no fields, may be left out; Litestar requires every one."""
    schema = body.get("content", {}).get(_JSON, {}).get("schema", {})
    choices = schema.get("oneOf", ())
    if schema == _NOTHING or any(choice.get("type") == "null" for choice in choices):
        body["required"] = False


def _summarise(operation: dict[str, Any]) -> None:
    """Take the docstring's first paragraph as summary, where Litestar made one of the name."""
    first, _, rest = operation.get("description", "").partition("\n\n")
    if first and " " not in operation.get("summary", ""):
        operation["summary"] = " ".join(first.split()).removesuffix(".")
        operation["description"] = rest
