"""Names of customers, streams and events: which are valid, and how they are made."""

import hashlib
import re
from uuid import UUID

from msgspec import convert
from uuid_utils import uuid7

from app.kernel.errors import InvalidInput

MAX_ID_CHARACTERS = 200

_FORBIDDEN = re.compile(r"[/\\?#%]")
_UUID_BYTES = 16


def check_id(value: str, *, field: str) -> str:
    r"""The id itself when it may stand in a path and a stream name, else `InvalidInput`.

    1 to 200 printable characters without ``/ \ ? # %``; not ``.`` or ``..``.
    """
    if not 1 <= len(value) <= MAX_ID_CHARACTERS:
        raise InvalidInput(f"an id has 1 to {MAX_ID_CHARACTERS} characters", field=field)
    if not value.isprintable() or value in {".", ".."} or _FORBIDDEN.search(value):
        raise InvalidInput(r"an id is printable, without / \ ? # %, not . or ..", field=field)
    return value


def check_customer_id(value: str, *, field: str = "customer_id") -> str:
    """A customer's id. One that begins with ``~`` is refused: those are anonymous ids."""
    if value.startswith("~"):
        raise InvalidInput("a customer id does not begin with ~", field=field)
    return check_id(value, field=field)


def check_anonymous_id(value: str, *, field: str = "anonymous_id") -> str:
    """An anonymous id as its sender knows it, one character shorter than a customer's."""
    check_id(value, field=field)
    if len(value) == MAX_ID_CHARACTERS:
        raise InvalidInput(
            f"an anonymous id has 1 to {MAX_ID_CHARACTERS - 1} characters", field=field
        )
    return value


def anonymous(anonymous_id: str) -> str:
    """The id that a visitor's events stand under: no customer can have it."""
    return f"~{anonymous_id}"


def stream_name(category: str, thing_id: str) -> str:
    """The stream of one thing, such as ``order-42``."""
    return f"{category}-{thing_id}"


def new_event_id() -> UUID:
    """A fresh, time-ordered id (RFC 9562, version 7)."""
    return convert(uuid7().bytes, UUID)


def derived_event_id(source: str, kind: str, key: str, ordinal: int) -> UUID:
    """The id that the same source, kind, key and ordinal always give (RFC 9562, version 8).

    Sending a thing again therefore meets the event that it made the first time.
    """
    name = f"{source}\x1f{kind}\x1f{ordinal}\x1f{key}".encode()
    raw = bytearray(hashlib.sha256(name).digest()[:_UUID_BYTES])
    raw[6] = raw[6] & 0x0F | 0x80  # the version
    raw[8] = raw[8] & 0x3F | 0x80  # the variant
    return convert(raw, UUID)  # the quickest way to one of Python's own
