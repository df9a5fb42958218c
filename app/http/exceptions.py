"""Litestar's exceptions, and any other, answered with problem details."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from app.http.parameters import invalid_parameters
from app.http.problems import MEDIA_TYPE, MethodNotAllowed, answer_to
from app.kernel.errors import InvalidInput, NotFound


def answer_with_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to a request whose handler, or whose way to it, failed."""
    ours = _as_ours(error, request) if isinstance(error, HTTPException) else error
    answer = answer_to(ours, request.scope)
    return Response(
        answer.body, status_code=answer.status, headers=answer.headers, media_type=MEDIA_TYPE
    )


def _as_ours(error: HTTPException, request: Request[Any, Any, Any]) -> Exception:
    if isinstance(error, ValidationException):
        return invalid_parameters(error, request.route_handler)
    match error.status_code:
        case 404:
            return NotFound("there is no such path")
        case 405:
            return MethodNotAllowed((error.headers or {}).get("allow", ""))
        case status if status < 500:
            return InvalidInput(error.detail)
        case _:
            return error
