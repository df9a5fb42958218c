"""Durations as rules write them."""

from datetime import timedelta

MAX_DURATION = timedelta(days=3_660)
"""Longer ones are a slip, and could leave the calendar."""

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(hours=24),
    "w": timedelta(weeks=1),
}


def as_timedelta(duration: str) -> timedelta:
    """What ``24h`` says."""
    return int(duration[:-1]) * _UNITS[duration[-1]]
