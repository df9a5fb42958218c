"""Errors as problem details (RFC 9457): the one place where an error meets an HTTP status."""

from collections.abc import Iterator, Mapping, Sequence

import structlog
from msgspec import Struct, structs
from msgspec.json import Encoder

from app.http.access import Forbidden, Unauthenticated
from app.http.asgi import AnyScope, Headers
from app.http.context import context_of
from app.http.limits import RateLimited
from app.http.load import Overloaded, TooManyStreams
from app.kernel import errors
from app.kernel.errors import InvalidInput, TidingsError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tidings:problem:"
RETRY_AFTER_SECONDS = 1
CHALLENGE = 'Bearer realm="tidings", Basic realm="tidings", charset="UTF-8"'
"""How to authenticate (RFC 9110, section 11.6.1)."""


class FieldError(Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field of the input."""

    field: str
    """Its path from the body's root, such as ``[3].customer_id``; or a parameter; or a header."""
    detail: str
    line: int | None = None
    column: int | None = None
    """Within a field that holds an expression, from 1."""


class InvalidParameters(InvalidInput):
    """The input is not valid."""

    code = InvalidInput.code

    def __init__(self, errors: Sequence[FieldError]) -> None:
        """Take every parameter that is at fault; at least one."""
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors), field=errors[0].field)
        self.errors = tuple(errors)


class MethodNotAllowed(TidingsError):
    """The path does not know this method."""

    def __init__(self, allowed: str) -> None:
        """Take the methods that it knows, separated by commas."""
        super().__init__(f"this path knows {allowed}")
        self.allowed = allowed


class UnsupportedMediaType(InvalidInput):
    """The body is not of a media type that is understood."""


class RequestTimeout(TidingsError):
    """The request did not come in time."""


class InternalError(TidingsError):
    """Something went wrong on our side."""


_STATUS: Mapping[type[TidingsError], int] = {
    InvalidInput: 400,
    errors.UnstorableValue: 400,
    errors.PositionBeyondHead: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    errors.NotFound: 404,
    MethodNotAllowed: 405,
    RequestTimeout: 408,
    errors.Refused: 409,
    errors.Erased: 410,
    errors.Contention: 409,
    errors.WrongExpectedVersion: 412,
    errors.InputTooLarge: 413,
    UnsupportedMediaType: 415,
    errors.IdempotencyConflict: 422,
    RateLimited: 429,
    TooManyStreams: 429,
    InternalError: 500,
    Overloaded: 503,
    errors.StoreUnavailable: 503,
    errors.ProviderUnavailable: 503,
    errors.ReadModelBehind: 503,
    errors.UnknownEvent: 503,
    errors.UnsafeServer: 503,
    errors.WrongReplica: 503,
}
"""By class; any other, such as a module's own refusal, has the status of its nearest base here."""
_RETRIED = frozenset({429, 503})
"""The statuses that come with Retry-After."""


class ProblemType(Struct, frozen=True):
    """A kind of problem: what is the same each time that it occurs."""

    type: str
    """A stable URI: ``urn:tidings:problem:`` and the error's code."""
    title: str
    status: int

    @property
    def code(self) -> str:
        """The error's code, such as ``not-found``."""
        return self.type.removeprefix(TYPE_PREFIX)


class Problem(ProblemType, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as a client sees it."""

    detail: str
    field: str = ""
    """The field at fault, or the first of several."""
    errors: tuple[FieldError, ...] = ()
    request_id: str = ""


class Answer(Struct, frozen=True):
    """A problem, ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def asgi_headers(self) -> Headers:
        """The headers as a server takes them."""
        return [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]


_encoder = Encoder()
_log = structlog.get_logger("tidings.http")


def problem_for(error: Exception) -> Problem:
    """The problem that tells a client of an error; an unforeseen one shows nothing of itself."""
    kind = _problem_type(type(error)) if isinstance(error, TidingsError) else None
    if kind is None:
        return problem_for(InternalError())
    return Problem(
        kind.type,
        kind.title,
        kind.status,
        detail=str(error),
        field=error.field if isinstance(error, InvalidInput) else "",
        errors=error.errors if isinstance(error, InvalidParameters) else (),
    )


def answer_to(error: Exception, scope: AnyScope) -> Answer:
    """What answers a request that failed with the error; an unforeseen one is logged here."""
    problem = problem_for(error)
    request_id = context_of(scope).request_id
    if problem.status == _STATUS[InternalError]:
        _log.error("request failed", request_id=request_id, exc_info=error)
    headers = {"Content-Type": MEDIA_TYPE}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allowed
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = CHALLENGE
    if problem.status in _RETRIED:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_SECONDS))
    body = _encoder.encode(structs.replace(problem, request_id=request_id))
    return Answer(problem.status, headers, body)


def problem_types() -> list[ProblemType]:
    """Every kind of problem that the code loaded so far can answer with, by type."""
    found = {kind for error in _subclasses(TidingsError) if (kind := _problem_type(error))}
    return sorted(found, key=lambda kind: kind.type)


def _problem_type(error_type: type[TidingsError]) -> ProblemType | None:
    """What an error is to clients; None for one whose inside they must not see."""
    status = next((_STATUS[base] for base in error_type.__mro__ if base in _STATUS), None)
    if status is None:
        return None
    title = (error_type.__doc__ or "").strip().split("\n", 1)[0].removesuffix(".")
    return ProblemType(f"{TYPE_PREFIX}{error_type.code}", title, status)


def _subclasses(error_type: type[TidingsError]) -> Iterator[type[TidingsError]]:
    for subclass in error_type.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
