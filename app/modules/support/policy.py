"""What follows from a question: its deadlines as timers, and that it is acknowledged."""

from collections.abc import Iterator

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.support.correspondent import CORRESPONDENT, AcknowledgeQuestion
from app.modules.support.decider import QUESTION, Escalate, WarnOfDeadline
from app.modules.support.desks import Limit
from app.modules.support.events import (
    CustomerAwaited,
    Deadline,
    QuestionAnswered,
    QuestionEscalated,
    QuestionOpened,
    QuestionReopened,
    QuestionResolved,
    QuestionResumed,
)

Started = Happened[QuestionOpened] | Happened[QuestionResumed] | Happened[QuestionReopened]


def _on_opened(happened: Happened[QuestionOpened]) -> Iterator[Effect]:
    yield from _on_started(happened)
    customer_id = happened.event.customer_id
    if not happened.event.is_automatic:
        acknowledge = AcknowledgeQuestion(happened.thing_id, happened.at)
        yield Send(CORRESPONDENT, customer_id, acknowledge, customer_id)


def _on_started(happened: Started) -> Iterator[Effect]:
    yield from _timers(happened, "first_response", happened.event.first_response)
    yield from _timers(happened, "resolution", happened.event.resolution)


def _on_answered(happened: Happened[QuestionAnswered]) -> Iterator[Effect]:
    if not happened.event.is_automatic:
        yield from _no_timers(happened.thing_id, "first_response")


def _on_stopped(happened: Happened[CustomerAwaited | QuestionResolved]) -> Iterator[Effect]:
    yield from _no_timers(happened.thing_id, "first_response")
    yield from _no_timers(happened.thing_id, "resolution")


def _on_escalated(happened: Happened[QuestionEscalated]) -> Iterator[Effect]:
    yield from _no_timers(happened.thing_id, happened.event.limit)


def _timers(happened: Started, limit: Limit, deadline: Deadline | None) -> Iterator[Effect]:
    if deadline is None:
        return
    question_id, customer_id = happened.thing_id, happened.customer_id
    warn, escalate = _keys(question_id, limit)
    if deadline.warn_at is not None:
        warning = Send(QUESTION, question_id, WarnOfDeadline(limit, deadline.due_at), customer_id)
        yield SetTimer(warn, deadline.warn_at, warning)
    escalation = Send(QUESTION, question_id, Escalate(limit, deadline.due_at), customer_id)
    yield SetTimer(escalate, deadline.due_at, escalation)


def _no_timers(question_id: str, limit: Limit) -> Iterator[Effect]:
    return map(CancelTimer, _keys(question_id, limit))


def _keys(question_id: str, limit: Limit) -> tuple[str, str]:
    """Of the warning, and of the escalation."""
    kind = limit.replace("_", "-")
    return f"{kind}-warning:question-{question_id}", f"{kind}-deadline:question-{question_id}"


SUPPORT = Policy(
    "support",
    {
        QuestionOpened: _on_opened,
        QuestionResumed: _on_started,
        QuestionReopened: _on_started,
        QuestionAnswered: _on_answered,
        CustomerAwaited: _on_stopped,
        QuestionResolved: _on_stopped,
        QuestionEscalated: _on_escalated,
    },
)
