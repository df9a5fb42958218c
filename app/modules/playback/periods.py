"""When billing periods end: calendar months of a time zone, from the moment of the beginning."""

from calendar import monthrange
from datetime import UTC, date, datetime, tzinfo

_MONTHS_OF_A_YEAR = 12


def period_end(began_at: datetime, zone: tzinfo, *, months: int, period: int) -> datetime:
    """When the period of this number, from 1, ends, in UTC; the next begins then.

    At the local time of day of the beginning, on the same day of a later month; on the month's
    last, where it has no such day. Each is counted from the beginning, so what began on January 31
    ends on February 28 and on March 31. A time that the clocks pass twice is the first of both; one
    that they skip is counted from before the skip (RFC 5545).
    """
    local = began_at.astimezone(zone)
    months_since_0 = local.year * _MONTHS_OF_A_YEAR + local.month - 1 + months * period
    year, month = divmod(months_since_0, _MONTHS_OF_A_YEAR)
    day = min(local.day, monthrange(year, month + 1)[1])
    ends_on, time_of_day = date(year, month + 1, day), local.time().replace(fold=0)
    return datetime.combine(ends_on, time_of_day, zone).astimezone(UTC)
