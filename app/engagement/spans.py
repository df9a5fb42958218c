"""Spans of time as rules write them, in exact seconds: ``1d`` is 24 hours, whatever clocks show."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

MAX_DURATIONS = 1_000
"""Kept parsed."""

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@lru_cache(MAX_DURATIONS)
def length(duration: str) -> timedelta:
    """How long ``24h`` is."""
    return timedelta(seconds=int(duration[:-1]) * _SECONDS[duration[-1]])


def later(at: datetime, duration: str) -> datetime:
    """So long after; what lies beyond the calendar's end is its end."""
    try:
        return at + length(duration)
    except OverflowError:
        return _LAST


def earlier(at: datetime, duration: str) -> datetime:
    """So long before; what lies before the calendar's begin is its begin."""
    try:
        return at - length(duration)
    except OverflowError:
        return _FIRST
