"""What may happen to a question: whose turn it is, and what is left of its time."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.modules.support.decider import (
    MAX_REMEMBERED_REPLIES,
    QUESTION,
    AnsweringMachine,
    AwaitCustomer,
    NoSuchQuestion,
    NoteReply,
    QuestionIsResolved,
    QuestionTaken,
)
from app.modules.support.events import (
    CustomerAwaited,
    CustomerReplied,
    Deadline,
    QuestionAcknowledged,
    QuestionResumed,
    TimeLeft,
)
from app.testing.specs import given
from tests.controls import support as anna
from tests.controls.support import HOUR, MONDAY


def test_a_question_is_opened_with_deadlines_in_business_time() -> None:
    given(QUESTION).when(anna.open_it).then(anna.opened)


def test_a_machines_message_is_kept_and_waits_for_a_person() -> None:
    given(QUESTION).when(anna.open_by_machine).then(anna.opened_by_machine, anna.machine_awaited)


def test_an_urgent_question_has_hours_in_the_night_too() -> None:
    at_night = replace(anna.open_it, desk="urgent", at=MONDAY - 8 * HOUR)
    outcome = given(QUESTION).when(at_night)
    [opened] = outcome.events
    assert opened == replace(
        anna.opened,
        desk="urgent",
        first_response=Deadline(MONDAY - 7 * HOUR, MONDAY - 7.25 * HOUR),
        resolution=Deadline(MONDAY, MONDAY - 2 * HOUR),
    )


def test_the_same_question_again_is_nothing() -> None:
    later = replace(anna.open_it, at=MONDAY + HOUR)
    given(QUESTION, anna.opened).when(later).then_nothing()
    given(QUESTION, anna.opened, anna.answered, anna.resolved).when(later).then_nothing()


def test_another_question_of_the_same_id_is_refused() -> None:
    for other in ({"customer_id": "boris"}, {"text": "Why?"}, {"topic": "rides"}):
        given(QUESTION, anna.opened).when(replace(anna.open_it, **other)).then_refused(
            QuestionTaken
        )


@pytest.mark.parametrize(
    "command",
    [
        anna.answer,
        anna.await_customer,
        anna.reply,
        anna.resolve,
        anna.reopen,
        anna.warn_of_resolution,
        anna.escalate_resolution,
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_for_a_question_that_was_not_opened_is_refused(command: Any) -> None:
    given(QUESTION).when(command).then_refused(NoSuchQuestion)


def test_a_question_that_was_not_opened_is_not_found() -> None:
    assert issubclass(NoSuchQuestion, NotFound)


def test_a_question_is_answered_whoever_has_the_turn() -> None:
    given(QUESTION, anna.opened).when(anna.answer).then(anna.answered)
    given(QUESTION, anna.opened, anna.awaited_unanswered).when(anna.answer).then(anna.answered)
    given(QUESTION, anna.opened_by_machine, anna.machine_awaited).when(anna.answer).then(
        anna.answered
    )


def test_the_last_answer_again_is_nothing() -> None:
    given(QUESTION, anna.opened, anna.answered).when(anna.answer).then_nothing()
    given(QUESTION, anna.opened, anna.answered, anna.resolved).when(anna.answer).then_nothing()


def test_a_person_who_says_what_a_machine_said_gives_the_first_response() -> None:
    same = replace(anna.answered, text=anna.automatically_answered.text)
    given(QUESTION, anna.opened, anna.automatically_answered).when(
        replace(anna.answer, text=same.text)
    ).then(same)


def test_the_same_answer_to_a_new_reply_is_given_again() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.replied).when(anna.answer).then(anna.answered)


def test_an_answer_to_a_resolved_question_is_refused() -> None:
    given(QUESTION, anna.opened, anna.resolved).when(anna.answer).then_refused(QuestionIsResolved)


def test_an_automatic_answer_is_given_and_is_no_first_response() -> None:
    given(QUESTION, anna.opened).when(anna.automatic_answer).then(anna.automatically_answered)
    given(QUESTION, anna.opened, anna.automatically_answered).when(
        anna.escalate_first_response
    ).then(anna.first_response_escalated)


def test_an_automatic_answer_to_a_machine_is_refused_and_a_persons_is_not() -> None:
    for history in (
        (anna.opened_by_machine, anna.machine_awaited),
        (anna.opened, anna.machine_replied),
    ):
        given(QUESTION, *history).when(anna.automatic_answer).then_refused(AnsweringMachine)
        given(QUESTION, *history).when(anna.answer).then(anna.answered)


def test_an_automatic_answer_to_a_person_who_took_over_is_given() -> None:
    given(QUESTION, anna.opened, anna.machine_replied, anna.replied).when(
        anna.automatic_answer
    ).then(anna.automatically_answered)


def test_a_fourth_automatic_answer_within_an_hour_is_refused() -> None:
    history = [
        replace(anna.automatically_answered, text=f"{n}", at=MONDAY + timedelta(minutes=15 * n))
        for n in range(3)
    ]
    spec = given(QUESTION, anna.opened, *history)
    late = MONDAY + timedelta(minutes=59)
    spec.when(replace(anna.automatic_answer, at=late)).then_refused(AnsweringMachine)
    an_hour_on = replace(anna.automatic_answer, at=MONDAY + HOUR)
    spec.when(an_hour_on).then(replace(anna.automatically_answered, at=MONDAY + HOUR))


def test_waiting_for_the_customer_keeps_the_time_that_is_left() -> None:
    given(QUESTION, anna.opened).when(anna.await_customer).then(anna.awaited_unanswered)


def test_what_was_answered_waits_with_the_time_to_resolve_it_alone() -> None:
    given(QUESTION, anna.opened, anna.answered).when(anna.await_customer).then(anna.awaited)


def test_waiting_keeps_in_mind_that_there_was_a_warning() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.resolution_neared).when(
        AwaitCustomer(MONDAY + 30 * HOUR)
    ).then(CustomerAwaited(None, TimeLeft(2 * HOUR, is_warned=True)))


def test_what_is_overdue_has_no_time_left_and_is_due_when_it_is_taken_up() -> None:
    """As when the timer was late: what counts is that nobody has escalated it."""
    late = CustomerAwaited(None, TimeLeft(timedelta(0), is_warned=True))
    given(QUESTION, anna.opened, anna.answered, anna.resolution_neared).when(
        AwaitCustomer(MONDAY + 50 * HOUR)
    ).then(late)
    taken_up = MONDAY + 60 * HOUR
    given(QUESTION, anna.opened, anna.answered, late).when(replace(anna.reply, at=taken_up)).then(
        anna.replied, QuestionResumed(None, Deadline(taken_up, None))
    )


def test_waiting_twice_is_nothing() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.awaited).when(
        AwaitCustomer(MONDAY + 5 * HOUR)
    ).then_nothing()


def test_a_resolved_question_does_not_wait() -> None:
    given(QUESTION, anna.opened, anna.resolved).when(anna.await_customer).then_refused(
        QuestionIsResolved
    )


def test_a_reply_while_it_is_our_turn_is_kept() -> None:
    given(QUESTION, anna.opened).when(anna.reply).then(anna.replied)


def test_a_reply_that_was_waited_for_lets_the_clocks_run_on() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.awaited).when(anna.reply).then(
        anna.replied, anna.resumed
    )


def test_a_reply_to_a_resolved_question_reopens_it() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.resolved).when(anna.reply).then(
        anna.replied, anna.reopened
    )


def test_a_persons_reply_to_a_machines_question_starts_its_clocks() -> None:
    given(QUESTION, anna.opened_by_machine, anna.machine_awaited).when(
        replace(anna.reply, at=MONDAY)
    ).then(anna.replied, QuestionResumed(anna.FIRST_RESPONSE, anna.RESOLUTION))


@pytest.mark.parametrize(
    "before",
    [(), (anna.awaited,), (anna.resolved,)],
    ids=["open", "waiting", "resolved"],
)
def test_a_machines_reply_is_kept_and_changes_nothing(before: Any) -> None:
    given(QUESTION, anna.opened, anna.answered, *before).when(anna.machine_reply).then(
        anna.machine_replied
    )


def test_a_reply_that_comes_again_is_nothing_however_late() -> None:
    given(QUESTION, anna.opened, anna.replied).when(anna.reply).then_nothing()
    given(QUESTION, anna.opened, anna.replied, anna.resolved).when(anna.reply).then_nothing()


def test_the_last_hundred_replies_are_remembered() -> None:
    replies = [
        CustomerReplied(f"mail-{number}", "And?", is_automatic=False)
        for number in range(MAX_REMEMBERED_REPLIES + 1)
    ]
    spec = given(QUESTION, anna.opened, *replies)
    spec.when(NoteReply("mail-1", "And?", is_automatic=False, at=MONDAY)).then_nothing()
    spec.when(NoteReply("mail-0", "And?", is_automatic=False, at=MONDAY)).then(replies[0])


def test_a_question_is_resolved_whoever_has_the_turn() -> None:
    given(QUESTION, anna.opened).when(anna.resolve).then(anna.resolved)
    given(QUESTION, anna.opened, anna.answered, anna.awaited).when(anna.resolve).then(anna.resolved)


def test_resolving_twice_is_nothing() -> None:
    given(QUESTION, anna.opened, anna.resolved).when(anna.resolve).then_nothing()


def test_a_reopened_question_has_all_the_time_again() -> None:
    given(QUESTION, anna.opened, anna.answered, anna.resolution_escalated, anna.resolved).when(
        anna.reopen
    ).then(anna.reopened)


def test_what_was_never_answered_has_a_first_response_to_come_when_it_is_reopened() -> None:
    given(QUESTION, anna.opened, anna.first_response_escalated, anna.resolved).when(
        anna.reopen
    ).then(anna.reopened_unanswered)


def test_reopening_what_is_not_resolved_is_nothing() -> None:
    given(QUESTION, anna.opened).when(anna.reopen).then_nothing()
    given(QUESTION, anna.opened, anna.answered, anna.awaited).when(anna.reopen).then_nothing()


def test_there_is_a_warning_and_then_an_escalation_of_each_deadline() -> None:
    given(QUESTION, anna.opened).when(anna.warn_of_first_response).then(anna.first_response_neared)
    given(QUESTION, anna.opened).when(anna.escalate_first_response).then(
        anna.first_response_escalated
    )
    given(QUESTION, anna.opened).when(anna.warn_of_resolution).then(anna.resolution_neared)
    given(QUESTION, anna.opened).when(anna.escalate_resolution).then(anna.resolution_escalated)


def test_warnings_and_escalations_come_once_and_in_order() -> None:
    warned = given(QUESTION, anna.opened, anna.resolution_neared)
    warned.when(anna.warn_of_resolution).then_nothing()
    escalated = given(QUESTION, anna.opened, anna.resolution_escalated)
    escalated.when(anna.warn_of_resolution).then_nothing()
    escalated.when(anna.escalate_resolution).then_nothing()


def test_nobody_is_warned_of_a_first_response_that_was_given() -> None:
    spec = given(QUESTION, anna.opened, anna.answered)
    spec.when(anna.warn_of_first_response).then_nothing()
    spec.when(anna.escalate_first_response).then_nothing()


@pytest.mark.parametrize(
    "since",
    [(anna.awaited_unanswered,), (anna.resolved,), (anna.awaited_unanswered, anna.resumed)],
    ids=["waiting", "resolved", "moved"],
)
def test_a_deadline_that_no_longer_stands_is_nothing(since: Any) -> None:
    spec = given(QUESTION, anna.opened, *since)
    spec.when(anna.warn_of_resolution).then_nothing()
    spec.when(anna.escalate_resolution).then_nothing()


def test_a_question_is_its_customers() -> None:
    assert QUESTION.customer_of(QUESTION.fold([anna.opened])) == anna.ANNA
    assert QUESTION.customer_of(QUESTION.initial) is None


@pytest.mark.parametrize("since", [anna.awaited_unanswered, anna.resolved])
def test_no_deadline_passes_that_does_not_stand(since: Event) -> None:
    with pytest.raises(UnknownEvent):
        QUESTION.fold([anna.opened, since, anna.resolution_escalated])


def test_an_event_of_something_else_is_not_folded() -> None:
    other = QuestionAcknowledged("4711", "Q-4711", MONDAY)
    with pytest.raises(UnknownEvent):
        QUESTION.fold([other])
    with pytest.raises(UnknownEvent):
        QUESTION.fold([anna.opened, other])
