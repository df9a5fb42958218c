"""Cursors: where a page ended, opaque to clients, and checked when it comes back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from app.kernel.errors import InvalidInput

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR_CHARACTERS = 4_000

T = TypeVar("T")


def encode_cursor(place: object) -> str:
    """The cursor of a place, which is anything that msgspec encodes."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode_cursor(cursor: str, place_type: type[T]) -> T:
    """The place that a cursor was made from; `InvalidInput` for what no page was answered with."""
    try:
        encoded = cursor[:MAX_CURSOR_CHARACTERS].encode("ascii")
        raw = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        return msgspec.json.decode(raw, type=place_type)
    except (ValueError, msgspec.MsgspecError):
        raise InvalidInput("it is the next_cursor of an earlier page", field="cursor") from None
