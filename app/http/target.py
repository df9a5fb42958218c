"""What a URL must be before it is routed: a server's decoding of it forgives too much.

Servers put U+FFFD for invalid UTF-8, turn ``%2F`` into a separator, and routers see ``a//b`` and
``a/b`` as one; each would let one URL stand for another customer's.
"""

from urllib.parse import unquote_to_bytes

from app.http.asgi import Scope
from app.kernel.errors import InvalidInput, NotFound

MAX_TARGET_BYTES = 8192
"""Of path and query together. Routers keep the paths they have seen, so these must be bounded."""


def check_target(scope: Scope) -> None:
    """Refuse a URL that could be mistaken for another one.

    Raises `InvalidInput` for control characters, invalid UTF-8, an encoded slash or sheer length,
    and `NotFound` for empty segments: ``//`` or a slash at the end.
    """
    path: str = scope["path"]
    raw_path = raw_path_of(scope)
    query: bytes = scope["query_string"]
    if len(raw_path) + len(query) > MAX_TARGET_BYTES:
        raise InvalidInput(f"the URL is longer than {MAX_TARGET_BYTES} bytes")
    if b"%" in raw_path:
        _check_encoded_path(raw_path)
    if not path.isprintable():
        raise InvalidInput("the path holds characters that are not printable")
    if "//" in path or (path.endswith("/") and path != "/"):
        raise NotFound("there is no such path: it has an empty segment")
    if query:
        _check_query(query)


def raw_path_of(scope: Scope) -> bytes:
    """The path as it came, percent-encoded and without the query, which some servers leave on."""
    raw_path: bytes = scope["raw_path"]
    return raw_path.partition(b"?")[0]


def _check_encoded_path(raw_path: bytes) -> None:
    if b"%2f" in raw_path.lower():
        raise InvalidInput("no name in a path holds a slash, encoded or not")
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise InvalidInput("the path is not percent-encoded UTF-8") from None


def _check_query(query: bytes) -> None:
    try:
        decoded = unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise InvalidInput("the query string is not percent-encoded UTF-8") from None
    if not decoded.isprintable():
        raise InvalidInput("the query string holds characters that are not printable")
