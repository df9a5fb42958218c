"""Times as files say them: ISO 8601 in its usual spellings, or a number since 1970."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from app.kernel.clock import in_utc
from app.kernel.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NUMBER = re.compile(r"([0-9]{9,19})(?:\.[0-9]*)?")
_EPOCH_DIGITS = 9
_MICROSECONDS_BY_DIGITS = {
    9: Decimal(1_000_000),
    10: Decimal(1_000_000),
    12: Decimal(1_000),
    13: Decimal(1_000),
    15: Decimal(1),
    16: Decimal(1),
    18: Decimal("0.001"),
    19: Decimal("0.001"),
}
"""How many microseconds a number's unit is, by the digits that it has in our time."""

_APART = re.compile(r"(.+?)\s+(?:UTC|GMT|Z|([+-][0-9]{2}(?::?[0-9]{2})?))")
"""An offset that stands apart from its time."""


def instant_of(text: str, zone: tzinfo) -> datetime:
    """The moment that a text says, in UTC. Raises `InvalidInput` for the field ``occurred_at``.

    ISO 8601 with a date first, with or without an offset (``2024-03-13 10:21:14``,
    ``2024-03-13T10:21:14.5+01:00``, ``2024-03-13 10:21:14 UTC``, ``20240313T102114Z``; a date alone
    is its first moment), or a number since 1970 in seconds, milliseconds, microseconds or
    nanoseconds, told apart by its digits: 9 or 10, 12 or 13, 15 or 16, 18 or 19 before the point.

    A time without an offset is the zone's. One that the clocks passed twice is the first of both;
    one that they skipped is counted from before the skip, which moves it on by as much (RFC 5545).
    """
    text = text.strip()
    # Before ISO 8601, whose compact form some numbers look like.
    if len(text) >= _EPOCH_DIGITS and text[:_EPOCH_DIGITS].isdecimal():
        return _instant_of_number(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        apart = _APART.fullmatch(text)
        try:
            moment = datetime.fromisoformat(f"{apart[1]}{apart[2] or '+00:00'}" if apart else "")
        except ValueError:
            raise InvalidInput(
                f"{_shown(text)} is no time such as 2024-03-13T10:21:14Z or 1710325274",
                field="occurred_at",
            ) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return in_utc(aware, field="occurred_at")


def _instant_of_number(text: str) -> datetime:
    found = _EPOCH_NUMBER.fullmatch(text)
    microseconds = _MICROSECONDS_BY_DIGITS.get(len(found[1])) if found else None
    if microseconds is None:
        raise InvalidInput(
            f"{_shown(text)} is no number of seconds, milliseconds, microseconds or nanoseconds"
            " since 1970 in our time",
            field="occurred_at",
        )
    return _EPOCH + timedelta(microseconds=int(Decimal(text) * microseconds))


def _shown(text: str) -> str:
    return repr(text[:40])
