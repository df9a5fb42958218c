"""Cursors: where a page ended, opaque to clients, and checked when it comes back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from app.kernel.errors import InvalidInput

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR_CHARACTERS = 4_000

P = TypeVar("P", bound=tuple[object, ...])


def encode_cursor(place: object) -> str:
    """The cursor of a place, which is a tuple of anything that msgspec encodes."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode_cursor(cursor: str, place_type: type[P]) -> P:
    """The place that a cursor was made from; `InvalidInput` for what no page was answered with."""
    try:
        encoded = cursor[:MAX_CURSOR_CHARACTERS].encode("ascii")
        raw = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        place = msgspec.json.decode(raw, type=place_type)
    except (ValueError, msgspec.MsgspecError):
        raise _invalid() from None
    if any(isinstance(part, str) and "\0" in part for part in place):
        raise _invalid()  # PostgreSQL takes none
    return place


def _invalid() -> InvalidInput:
    return InvalidInput("it is the next_cursor of an earlier page", field="cursor")
