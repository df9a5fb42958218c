"""Times by a customer's clock: local times that are waited for, and quiet hours.

A local time that the clocks skip is the moment at which they do; of one that they show twice, the
first counts. Quiet is what the clock shows as quiet: an hour that comes twice is so twice.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from app.engagement.rule import QuietHours
from app.kernel.errors import InvalidInput
from app.kernel.time_zones import zone_named
from app.kernel.wall_clock import change_between, moment

MAX_ZONES = 1_000
"""Kept: there are about 600, and names that are none."""
MAX_DAYS = 3
"""By which a local time has come: one day may be skipped altogether."""
MAX_CHANGES = 4
"""Of clocks, within one night."""

_DAY = timedelta(days=1)


def zone_of(trait: Any, otherwise: str) -> tzinfo:
    """The zone of a trait `time_zone`; else that of the settings; else UTC."""
    named = _zone(trait) if isinstance(trait, str) else None
    return named or _zone(otherwise) or UTC


def next_local(after: datetime, clock: str, zone: tzinfo) -> datetime:
    """The next moment, in UTC, at which a clock of the zone shows ``18:00``: later than `after`."""
    day = after.astimezone(zone).date()
    shown = (moment(day + _DAY * ahead, _time(clock), zone) for ahead in range(MAX_DAYS))
    return next(each for each in shown if each > after)


def quiet_until(at: datetime, quiet: QuietHours, zone: tzinfo) -> datetime | None:
    """The first moment, in UTC, that is not quiet any more; None when it is not quiet now.

    Hours that end when they begin are none.
    """
    begin, end = _time(quiet.begin), _time(quiet.end)
    if not _is_quiet(at, begin, end, zone):
        return None
    now = at.astimezone(UTC)
    for _ in range(MAX_CHANGES):
        over = now + _until(now.astimezone(zone).time(), end)
        if now.astimezone(zone).utcoffset() == over.astimezone(zone).utcoffset():
            return over
        now = change_between(now, over, zone)
        if not _is_quiet(now, begin, end, zone):
            return now
    return now


def _is_quiet(at: datetime, begin: time, end: time, zone: tzinfo) -> bool:
    shown = at.astimezone(zone).time()
    return begin <= shown < end if begin <= end else not end <= shown < begin


def _until(shown: time, wanted: time) -> timedelta:
    """By how much clocks have to go on until they show it."""
    left = _since_midnight(wanted) - _since_midnight(shown)
    return left if left > timedelta(0) else left + _DAY


def _since_midnight(shown: time) -> timedelta:
    return timedelta(
        hours=shown.hour,
        minutes=shown.minute,
        seconds=shown.second,
        microseconds=shown.microsecond,
    )


@lru_cache(24 * 60)
def _time(clock: str) -> time:
    return time.fromisoformat(clock)


@lru_cache(MAX_ZONES)
def _zone(name: str) -> tzinfo | None:
    try:
        return zone_named(name, field="time_zone")
    except InvalidInput:
        return None
