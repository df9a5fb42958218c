"""Cursors: where a page ended, opaque to clients, and signed, so that none can be made up."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from app.kernel.errors import InvalidInput
from app.kernel.fingerprint import keyed_digest

MAX_CURSOR_CHARACTERS = 4_000
SIGNATURE_BYTES = 12

P = TypeVar("P", bound=tuple[object, ...])


class Cursors:
    """Makes cursors, and knows its own again: those of the same store and the same query."""

    def __init__(self, secret: bytes) -> None:
        """Take the store's secret."""
        self._secret = secret

    def encode(self, place: object, *query: str) -> str:
        """The cursor of a place, which is a tuple of anything that msgspec encodes, in a query."""
        raw = msgspec.json.encode(place)
        return urlsafe_b64encode(self._signature(raw, query) + raw).rstrip(b"=").decode()

    def decode(self, cursor: str, place_type: type[P], *query: str) -> P:
        """The place that a cursor was made from; `InvalidInput` for what is no cursor of the query.

        It is refused before anything of it is decoded.
        """
        try:
            encoded = cursor[:MAX_CURSOR_CHARACTERS].encode("ascii")
            signed = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
            raw = signed[SIGNATURE_BYTES:]
            if not hmac.compare_digest(signed[:SIGNATURE_BYTES], self._signature(raw, query)):
                raise _invalid()
            return msgspec.json.decode(raw, type=place_type)
        except (ValueError, msgspec.MsgspecError):
            raise _invalid() from None

    def _signature(self, raw: bytes, query: tuple[str, ...]) -> bytes:
        return keyed_digest(self._secret, "cursor", raw, *query)[:SIGNATURE_BYTES]


def _invalid() -> InvalidInput:
    return InvalidInput("it is the next_cursor of an earlier page of this query", field="cursor")
