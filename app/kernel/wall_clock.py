"""What clocks on a wall show, and when: in zones where they are put forward and back."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def moment(day: date, clock: time, zone: tzinfo) -> datetime:
    """When the clocks show so on the day, in UTC.

    What they skip is the moment at which they do; of what they show twice, the first counts.
    """
    shown = datetime.combine(day, clock, tzinfo=zone)
    one, other = shown.astimezone(UTC), shown.replace(fold=1).astimezone(UTC)
    return one if one <= other else change_between(other, one, zone)


def change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """When the clocks are put forward or back, which they are once between two moments."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta.resolution:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
