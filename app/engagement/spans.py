"""Spans of time as rules write them, in exact seconds: ``1d`` is 24 hours, whatever clocks show."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.engagement.durations import as_timedelta

MAX_DURATIONS = 1_000
"""Kept parsed."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@lru_cache(MAX_DURATIONS)
def length(duration: str) -> timedelta:
    """How long ``24h`` is."""
    return as_timedelta(duration)


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
