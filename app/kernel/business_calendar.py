"""Time that counts only while somebody is at work: opening hours in a time zone, less holidays.

What is inside and outside is said by the clocks on the wall, how much it is by real time: where
they are put forward at night, a shop that is always open has a day of 23 hours. An edge that the
clocks skip is the moment at which they do; of one that they show twice, the first counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from app.kernel.wall_clock import moment

MAX_DAYS = 3_660
"""As far as one looks ahead: ten years."""

MIDNIGHT = time(0)
_NOTHING = timedelta(0)

Span = tuple[time, time]
"""From, and until; until midnight is to the end of the day."""
Week = Sequence[Sequence[Span]]
"""The opening hours of Monday to Sunday: of each day, spans in order that do not overlap."""


@dataclass(frozen=True)
class BusinessCalendar:
    """The opening hours of a week in a time zone, and the days on which it is closed instead."""

    zone: tzinfo
    week: Week
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        """Refuse, with `ValueError`, a week that is not one or never opens."""
        if len(self.week) != 7 or not any(self.week):
            raise ValueError("a week has seven days, and on one of them at least it opens")
        for spans in self.week:
            edges = [edge for span in spans for edge in span]
            if edges[-1:] == [MIDNIGHT]:
                edges.pop()
            if any(later <= earlier for earlier, later in pairwise(edges)):
                raise ValueError("the spans of a day are in order and do not overlap")

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The first moment, in UTC, by which so much business time has passed since the start.

        Raises `ValueError` when there is not so much of it in ten years.
        """
        now, left = start.astimezone(UTC), duration
        if left <= _NOTHING:
            return now
        for opens, closes in self._openings(now):
            begins = max(opens, now)
            if closes - begins >= left:
                return begins + left
            left -= max(closes - begins, _NOTHING)
        raise ValueError(f"there is no {duration} of business time in {MAX_DAYS} days")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much business time lies between two moments; none when the second is the earlier.

        Of more than ten years, that of the first ten.
        """
        begin, until = start.astimezone(UTC), end.astimezone(UTC)
        passed = _NOTHING
        for opens, closes in self._openings(begin):
            if opens >= until:
                break
            passed += max(min(closes, until) - max(opens, begin), _NOTHING)
        return passed

    def _openings(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When it opens and closes, in UTC and in order, from the day of the start on."""
        first = start.astimezone(self.zone).date()
        for day in (first + timedelta(days=number) for number in range(MAX_DAYS)):
            if day in self.holidays:
                continue
            for opens, closes in self.week[day.weekday()]:
                last = day if closes > opens else day + timedelta(days=1)
                yield moment(day, opens, self.zone), moment(last, closes, self.zone)
