"""Who is on the course takes room; who is not, none."""

from datetime import timedelta
from uuid import uuid4

import msgspec

from app.engagement import course as course_module
from app.engagement.course import Course
from app.engagement.evaluator import Evaluator
from app.engagement.events import RuleSaved, RuleWentLive
from app.engagement.rule import Rule
from app.engagement.rulebook import RuleBook
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals
from tests.unit.engagement.world import BEGIN, HOUR, SECOND

SEND = {"do": "send", "kind": "news", "text": "Hello"}


def course_of(**fields: object) -> Course:
    given = {"trigger": {"event": "tick"}, "steps": [SEND], "limits": {"consent": False}, **fields}
    book = RuleBook()
    for event in (RuleSaved(1, msgspec.convert(given, Rule), {}), RuleWentLive(1)):
        book.apply("rule", event, BEGIN)
    return Course(Evaluator(book), Totals(), lets_go=True)


def happen(course: Course, who: str, after: timedelta) -> None:
    at = BEGIN + after
    course.until(at)
    if who not in course.people:
        course.join(who, CustomerState(), Profile(who))
    course.see(SeenEvent(1, uuid4(), "tick", who, {}, at, at))


def test_who_has_nothing_kept_any_more_leaves() -> None:
    course = course_of(steps=[{"do": "wait", "time": "1h"}, SEND])
    for number in range(3):
        happen(course, f"c-{number}", number * SECOND)
    assert (len(course.people), course.kept) == (3, 3)
    course.until(BEGIN + HOUR)
    assert (list(course.people), course.kept) == (["c-1", "c-2"], 2)
    course.leave("c-1")
    course.until(BEGIN + 2 * HOUR)
    assert (course.people, course.kept, len(course.decided)) == ({}, 0, 5)


def test_due_times_that_were_put_off_are_let_go() -> None:
    course = course_of(
        pattern={"is": "count", "at_least": 2, "within": "3h"}, goal={"event": "x", "within": "9h"}
    )
    for number in range(6_000):
        happen(course, f"c-{number % 3}", number * SECOND)
    assert len(course.people) == 3
    assert len(course._due) <= 2 * 3 + course_module._STALE_DUE_TIMES
