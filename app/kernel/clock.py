"""Time, as a port: whoever needs the time is given a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

from app.kernel.errors import InvalidInput

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
