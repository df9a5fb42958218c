"""A question of Anna's, on a Monday morning in Berlin."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from app.modules.support.decider import (
    AnswerQuestion,
    AwaitCustomer,
    Escalate,
    NoteReply,
    OpenQuestion,
    ReopenQuestion,
    ResolveQuestion,
    WarnOfDeadline,
)
from app.modules.support.events import (
    CustomerAwaited,
    CustomerReplied,
    Deadline,
    DeadlineNeared,
    QuestionAnswered,
    QuestionEscalated,
    QuestionOpened,
    QuestionReopened,
    QuestionResolved,
    QuestionResumed,
    TimeLeft,
)

ANNA = "anna"
QUESTION_ID = "4711"

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Ten in the morning in Berlin, where it is an hour later: seven hours until it closes."""

open_it = OpenQuestion(
    ANNA,
    "My card was charged twice.",
    "email",
    "billing",
    is_automatic=False,
    desk="standard",
    time_zone="Europe/Berlin",
    at=MONDAY,
)
open_by_machine = replace(open_it, text="I am out of the office.", is_automatic=True)
answer = AnswerQuestion("One of them is a reservation.", is_automatic=False, at=MONDAY + HOUR)
automatic_answer = AnswerQuestion("Have you read our FAQ?", is_automatic=True, at=MONDAY + HOUR)
await_customer = AwaitCustomer(MONDAY + 2 * HOUR)
reply = NoteReply("mail-2", "It is still there.", is_automatic=False, at=MONDAY + 24 * HOUR)
machine_reply = NoteReply(
    "mail-3", "I am out of the office.", is_automatic=True, at=MONDAY + 24 * HOUR
)
resolve = ResolveQuestion()
reopen = ReopenQuestion(MONDAY + 24 * HOUR)

FIRST_RESPONSE = Deadline(MONDAY + 4 * HOUR, MONDAY + 3 * HOUR)
RESOLUTION = Deadline(MONDAY + 48 * HOUR, MONDAY + 28 * HOUR)
"""Seven hours on Monday, eight on Tuesday, and one on Wednesday; the warning four hours before."""

warn_of_first_response = WarnOfDeadline("first_response", FIRST_RESPONSE.due_at)
warn_of_resolution = WarnOfDeadline("resolution", RESOLUTION.due_at)
escalate_first_response = Escalate("first_response", FIRST_RESPONSE.due_at)
escalate_resolution = Escalate("resolution", RESOLUTION.due_at)

opened = QuestionOpened(
    ANNA,
    "My card was charged twice.",
    "email",
    "billing",
    is_automatic=False,
    desk="standard",
    time_zone="Europe/Berlin",
    first_response=FIRST_RESPONSE,
    resolution=RESOLUTION,
)
opened_by_machine = replace(
    opened,
    text="I am out of the office.",
    is_automatic=True,
    first_response=None,
    resolution=None,
)
machine_awaited = CustomerAwaited(
    TimeLeft(4 * HOUR, is_warned=False), TimeLeft(16 * HOUR, is_warned=False)
)
answered = QuestionAnswered("One of them is a reservation.", is_automatic=False, at=MONDAY + HOUR)
automatically_answered = QuestionAnswered(
    "Have you read our FAQ?", is_automatic=True, at=MONDAY + HOUR
)
awaited = CustomerAwaited(None, TimeLeft(14 * HOUR, is_warned=False))
"""Two hours after an answered question was opened."""
awaited_unanswered = CustomerAwaited(
    TimeLeft(2 * HOUR, is_warned=False), TimeLeft(14 * HOUR, is_warned=False)
)
replied = CustomerReplied("mail-2", "It is still there.", is_automatic=False)
machine_replied = CustomerReplied("mail-3", "I am out of the office.", is_automatic=True)
resumed = QuestionResumed(None, Deadline(MONDAY + 54 * HOUR, MONDAY + 50 * HOUR))
"""On Tuesday at ten: seven hours then, and seven on Wednesday; the warning four before."""
resolved = QuestionResolved()
reopened = QuestionReopened(None, Deadline(MONDAY + 72 * HOUR, MONDAY + 52 * HOUR))
"""On Tuesday at ten, with all the time again."""
reopened_unanswered = QuestionReopened(
    Deadline(MONDAY + 28 * HOUR, MONDAY + 27 * HOUR), reopened.resolution
)
first_response_neared = DeadlineNeared("first_response", FIRST_RESPONSE.due_at)
resolution_neared = DeadlineNeared("resolution", RESOLUTION.due_at)
first_response_escalated = QuestionEscalated("first_response", FIRST_RESPONSE.due_at)
resolution_escalated = QuestionEscalated("resolution", RESOLUTION.due_at)
