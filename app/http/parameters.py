"""The parameters of a URL: types that queries share, and what is wrong with those that came."""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.enums import ParamType
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg, QueryParameter

from app.http.problems import FieldError, InvalidParameters
from app.kernel.errors import InvalidInput

MAX_POSITION = 2**63 - 1
MAX_HANDLERS = 1000
"""Whose parameter names are remembered; far more than there are."""

# Constraints are lost when an annotated type becomes a part of a union, so None stands inside.
OptionalPosition = Annotated[int | None, QueryParameter(ge=0, le=MAX_POSITION)]
"""A place in the log; what PostgreSQL could not hold is refused."""

_MISSING = re.compile(r"^Missing required \w+ parameter '(.+?)' for path ")


def calendar_day(value: str, *, field: str) -> date:
    """A day from ``YYYY-MM-DD``; `InvalidInput` for anything else."""
    try:
        return msgspec.convert(value, date)
    except msgspec.ValidationError:
        raise InvalidInput("a day is written such as 2026-11-22", field=field) from None


def days_between(from_: str | None, to: str | None) -> tuple[date | None, date | None]:
    """The days of the parameters ``from`` and ``to``, the latter exclusive; None: without a bound.

    Raises `InvalidInput` for one that is none, and for a period that ends before it begins.
    """
    since = None if from_ is None else calendar_day(from_, field="from")
    until = None if to is None else calendar_day(to, field="to")
    if since and until and until <= since:
        raise InvalidInput("a period ends after it begins", field="to")
    return since, until


async def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Refuse what a query does not know, or knows once and got twice.

    A filter with a typing error would otherwise answer with everything. Endpoints outside the API
    proper (probes, pages) do not care.
    """
    if not request.scope["query_string"] or not request.route_handler.resolve_include_in_schema():
        return
    known = _query_parameters(request.route_handler)
    sent = request.query_params
    wrong = [
        FieldError(name, "it is given more than once" if name in known else "it is not known here")
        for name in sent
        if name not in known or (len(sent.getall(name)) > 1 and not known[name])
    ]
    if wrong:
        raise InvalidParameters(wrong)


def invalid_parameters(error: ValidationException, handler: HTTPRouteHandler) -> InvalidInput:
    """What Litestar found wrong with the parameters, under the names that clients know."""
    missing = _MISSING.match(error.detail)
    if missing:
        return InvalidParameters([FieldError(missing[1], "it is required")])
    found = [
        FieldError(_public_name(handler, item.get("key", "")), item.get("message", ""))
        for item in error.extra or ()
        if isinstance(item, dict)
    ]
    return InvalidParameters(found) if found else InvalidInput(error.detail)


@lru_cache(MAX_HANDLERS)
def _query_parameters(handler: HTTPRouteHandler) -> dict[str, bool]:
    """The names of a handler's query parameters, and whether each may be repeated."""
    return {
        _public_name(handler, name): field.is_non_string_sequence
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(field.kwarg_definition, ParameterKwarg)
        and field.kwarg_definition.param_type is ParamType.QUERY
    }


def _public_name(handler: HTTPRouteHandler, name: str) -> str:
    field = handler.parsed_fn_signature.parameters.get(name)
    definition = field.kwarg_definition if field else None
    return (definition.name if isinstance(definition, ParameterKwarg) else None) or name
