"""A question's clocks: from the business time that is left to a deadline, and back."""

from datetime import datetime, timedelta

from app.modules.support.desks import Limit, calendar_of, desk_named
from app.modules.support.events import Deadline, QuestionOpened, TimeLeft

_NOTHING = timedelta(0)


def all_time(opened: QuestionOpened, limit: Limit) -> TimeLeft:
    """What there is at first."""
    return TimeLeft(desk_named(opened.desk).targets[limit].within, is_warned=False)


def running(
    opened: QuestionOpened, limit: Limit, left: TimeLeft | None, at: datetime
) -> Deadline | None:
    """The deadline of a clock that runs from now on; it is now when nothing is left."""
    if left is None:
        return None
    calendar = calendar_of(opened.desk, opened.time_zone)
    until_warning = left.business_time - desk_named(opened.desk).targets[limit].warn_before
    needs_warning = not left.is_warned and left.business_time > _NOTHING
    return Deadline(
        calendar.add(at, left.business_time),
        calendar.add(at, until_warning) if needs_warning else None,
    )


def stopped(opened: QuestionOpened, deadline: Deadline | None, at: datetime) -> TimeLeft | None:
    """What is left of a clock that stands still from now on."""
    if deadline is None:
        return None
    calendar = calendar_of(opened.desk, opened.time_zone)
    return TimeLeft(calendar.between(at, deadline.due_at), deadline.warn_at is None)
