"""Time as a port, for whoever needs it is given a clock; and how points in time are said."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from app.kernel.errors import InvalidInput

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]

Clock = Callable[[], datetime]
"""Answers the present, with its offset."""


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def in_utc(moment: datetime, *, field: str) -> datetime:
    """A moment as UTC has it; `InvalidInput` for what an offset puts out of the years 1 to 9999.

    The database would take that, and Python could not read it again.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("the time is out of range", field=field) from None


def instant(value: str, *, field: str) -> datetime:
    """A point in time in UTC from RFC 3339 with an offset; `InvalidInput` for anything else.

    A plus sign that a URL's author left bare, which became a space, is understood.
    """
    try:
        return msgspec.convert(value.replace(" ", "+"), _Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise InvalidInput(
            "a time is written with its offset, such as 2026-11-22T09:30:00Z", field=field
        ) from None
