"""How the body of a request is read: its media type, its size, what it may hold, its type."""

from functools import lru_cache
from typing import Any, cast

from litestar import Request
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from msgspec.json import Decoder

from app.http.asgi import AnyScope, Receive
from app.http.context import context_of
from app.http.decoding import decode_json
from app.http.fields import Nothing
from app.http.problems import UnsupportedMediaType
from app.kernel.errors import InputTooLarge, InvalidInput

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DECODERS = 1000
"""One for each route with a body; far more than there are."""

_JSON = b"application/json"
_NO_FIELDS = b"{}"


async def read_json_body(
    scope: AnyScope, receive: Receive, *, max_bytes: int = MAX_BODY_BYTES
) -> bytes:
    """The whole body of a request that says it is JSON; what it holds is not looked at.

    Raises `UnsupportedMediaType` for another media type or a compressed body, `InputTooLarge`, and
    `InvalidInput` when the body is empty or the client goes before it is complete; and, before
    anything is read, `Overloaded` when the process holds too much of other bodies.
    """
    check_body_headers(scope)
    body = await _read(scope, receive, max_bytes)
    if not body:
        raise InvalidInput("the body is empty")
    return body


async def read_json_body_if_any(
    scope: AnyScope, receive: Receive, *, max_bytes: int = MAX_BODY_BYTES
) -> bytes:
    """The same where the body may be left out: then it is empty, of whatever type it says it is."""
    body = await _read(scope, receive, max_bytes)
    if body:
        check_body_headers(scope)
    return body


def check_body_headers(scope: AnyScope) -> None:
    """`UnsupportedMediaType` unless a request says that its body is JSON, and as it is."""
    headers = context_of(scope).headers
    content_type = headers.get(b"content-type", b"")
    if content_type != _JSON and not _is_json(content_type):
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise UnsupportedMediaType("send the body without Content-Encoding")


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.split(b";", 1)[0].strip().lower()
    return media_type == _JSON or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )


async def _read(scope: AnyScope, receive: Receive, max_bytes: int) -> bytes:
    context = context_of(scope)
    announced = context.headers.get(b"content-length", b"")
    if announced.isdigit():
        _check_size(int(announced), max_bytes)
        context.hold(int(announced))
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        _check_size(len(body), max_bytes)
        return body
    chunks, size_bytes = [], 0
    while message["type"] == "http.request":
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        _check_size(size_bytes, max_bytes)
        if size_bytes > context.held_bytes:  # its length was not announced
            context.hold(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
    raise InvalidInput("the client went before the whole body had come")


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise InputTooLarge(f"a body has at most {max_bytes} bytes")


class JsonRequest(Request[Any, Any, State]):
    """A request whose body is checked, and decoded straight into the type its handler declares.

    Litestar's own way decodes into dictionaries, unchecked, and then converts leniently: "5" would
    pass for 5.
    """

    async def body(self) -> bytes:
        """The body as sent, once its media type and size are found right.

        A handler whose `data` may be None does without; where it has no fields, nothing is `{}`.
        """
        if not isinstance(self._body, bytes):
            field = self.route_handler.parsed_data_field
            has_no_fields = bool(field and field.annotation is Nothing)
            may_be_left_out = has_no_fields or bool(field and field.is_optional)
            read = read_json_body_if_any if may_be_left_out else read_json_body
            body = await read(
                self.scope,
                cast(Receive, self.receive),
                max_bytes=self.route_handler.resolve_request_max_body_size() or MAX_BODY_BYTES,
            )
            self._body = _NO_FIELDS if has_no_fields and not body else body
        return self._body

    async def json(self) -> Any:
        """The body as the type of the handler's `data`; None for one that was left out."""
        body = await self.body()
        return decode_json(_decoder_of(self.route_handler), body) if body else None


@lru_cache(MAX_DECODERS)
def _decoder_of(handler: HTTPRouteHandler) -> Decoder[Any]:
    field = handler.parsed_data_field
    return Decoder(field.annotation if field else Any)
