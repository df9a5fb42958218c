"""Time, as a port: whoever needs the time is given a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers the present, with its offset."""


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)
