"""Conditional requests (RFC 9110, section 13): entity tags are versions, such as ``"7"``."""

import re

from app.http.asgi import AnyScope
from app.http.context import context_of
from app.kernel.errors import InvalidInput

_MAX_VERSION_DIGITS = 18  # a bigint holds them all
_VERSION_TAG = re.compile(rb'"(0|[1-9][0-9]{0,%d})"' % (_MAX_VERSION_DIGITS - 1))
_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_ANY_TAG = b"*"


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def expected_version(scope: AnyScope) -> int | None:
    """The version that If-Match expects; None when it is absent or ``*``: any.

    ``"0"`` expects that there is nothing yet. Raises `InvalidInput` for a weak tag, a list, or what
    is no version at all: only one strong tag can be compared with a stream.
    """
    value = context_of(scope).headers.get(b"if-match")
    if value is None or value.strip() == _ANY_TAG:
        return None
    tag = _VERSION_TAG.fullmatch(value.strip())
    if tag is None:
        raise InvalidInput(
            'one strong entity tag, such as "7", or * is understood', field="If-Match"
        )
    return int(tag[1])


def is_not_modified(scope: AnyScope, tag: str) -> bool:
    """Whether If-None-Match holds the current tag, so that a GET is answered with 304.

    Tags are compared weakly, as RFC 9110 says; what is not a tag matches nothing.
    """
    value = context_of(scope).headers.get(b"if-none-match")
    if value is None:
        return False
    return value.strip() == _ANY_TAG or tag.encode() in _TAG.findall(value)
