"""Who answers when, and how soon: the desks, as data. A desk more is an entry more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Literal

from app.kernel.business_calendar import MIDNIGHT, BusinessCalendar, Week
from app.kernel.time_zones import zone_named

MAX_CALENDARS = 1_000

Limit = Literal["first_response", "resolution"]
"""What has a deadline: the first answer, and the end of it."""

OFFICE_HOURS: Week = (*(5 * (((time(9), time(17)),),)), (), ())
"""Monday to Friday, nine to five."""
AROUND_THE_CLOCK: Week = 7 * (((MIDNIGHT, MIDNIGHT),),)
HOLIDAYS: frozenset[date] = frozenset()
"""Days on which nobody is at the desks that keep office hours."""


@dataclass(frozen=True)
class Target:
    """How much business time there is for something."""

    within: timedelta
    warn_before: timedelta
    """How much of it is left when there is a warning."""


@dataclass(frozen=True)
class Desk:
    """Opening hours, in the time zone that a question names, and targets."""

    week: Week
    holidays: frozenset[date]
    targets: Mapping[Limit, Target]


STANDARD = Desk(
    OFFICE_HOURS,
    HOLIDAYS,
    {
        "first_response": Target(timedelta(hours=4), warn_before=timedelta(hours=1)),
        "resolution": Target(timedelta(hours=16), warn_before=timedelta(hours=4)),
    },
)
URGENT = Desk(
    AROUND_THE_CLOCK,
    frozenset(),
    {
        "first_response": Target(timedelta(hours=1), warn_before=timedelta(minutes=15)),
        "resolution": Target(timedelta(hours=8), warn_before=timedelta(hours=2)),
    },
)

DeskName = Literal["standard", "urgent"]
DESKS: Mapping[str, Desk] = {"standard": STANDARD, "urgent": URGENT}


def desk_named(name: str) -> Desk:
    """A desk; the standard one for questions of a desk that is no longer there."""
    return DESKS.get(name, STANDARD)


@lru_cache(MAX_CALENDARS)
def calendar_of(desk_name: str, time_zone: str) -> BusinessCalendar:
    """When a desk is open in a time zone."""
    desk = desk_named(desk_name)
    return BusinessCalendar(zone_named(time_zone, field="time_zone"), desk.week, desk.holidays)
