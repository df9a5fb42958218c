"""Questions, deadlines, acknowledgements and messages at work together."""

from datetime import timedelta

from msgspec.structs import replace

from app.modules.messages.decider import MESSAGE
from app.modules.messages.events import MessageRequested
from app.modules.support.decider import QUESTION, AwaitCustomer, NoteReply
from app.modules.support.events import (
    AcknowledgementWithheld,
    DeadlineNeared,
    QuestionAcknowledged,
    QuestionEscalated,
)
from app.modules.support.policy import SUPPORT
from app.reactions.support_messages import SUPPORT_MESSAGES
from app.testing.world import World
from tests.controls import support as anna
from tests.controls.support import HOUR, MONDAY

WEEK = timedelta(days=7)


def world() -> World:
    """On a Monday morning."""
    return World([SUPPORT, SUPPORT_MESSAGES], now=MONDAY)


def when_it_happened(
    played: World, event_type: type[DeadlineNeared | QuestionEscalated]
) -> list[tuple[str, timedelta]]:
    """Since Monday; of which limit."""
    return [
        (entry.happened.event.limit, entry.happened.at - MONDAY)
        for entry in played.log
        if isinstance(entry.happened.event, event_type)
    ]


def test_a_question_is_acknowledged_answered_and_resolved_in_time() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_it)
    played.react()
    assert played.happened("message-question-acknowledged:4711") == [
        MessageRequested(
            "question-acknowledged",
            "We have your question and will answer it. Its reference is Q-4711.",
        )
    ]
    played.pass_time(HOUR)
    played.send(QUESTION, "4711", anna.answer)
    played.pass_time(HOUR)
    played.send(QUESTION, "4711", anna.resolve)
    played.pass_time(WEEK)
    messages = played.all(MessageRequested)
    told = [each.text for each in messages if isinstance(each, MessageRequested)]
    assert told[1:] == [anna.answer.text]
    assert not played.all(QuestionEscalated)
    assert not played.timers
    assert {entry.happened.customer_id for entry in played.log} == {anna.ANNA}


def test_a_question_that_nobody_sees_to_is_warned_of_and_escalated_in_business_time() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_it)
    played.pass_time(WEEK)
    assert when_it_happened(played, DeadlineNeared) == [
        ("first_response", 3 * HOUR),
        ("resolution", 28 * HOUR),
    ]
    assert when_it_happened(played, QuestionEscalated) == [
        ("first_response", 4 * HOUR),
        ("resolution", 48 * HOUR),
    ]


def test_while_the_customer_is_waited_for_nothing_is_due() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_it)
    played.pass_time(HOUR)
    played.send(QUESTION, "4711", anna.answer)
    played.send(QUESTION, "4711", AwaitCustomer(played.now))
    played.pass_time(WEEK - HOUR)
    assert not played.all(DeadlineNeared)
    reply = NoteReply("mail-2", "It is still there.", is_automatic=False, at=played.now)
    played.send(QUESTION, "4711", reply)
    played.pass_time(WEEK)
    assert when_it_happened(played, QuestionEscalated) == [("resolution", WEEK + 31 * HOUR)]


def test_an_answer_before_a_late_timer_is_in_time() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_it)
    played.react()
    played.now += 5 * HOUR
    played.send(QUESTION, "4711", anna.answer)
    played.fire("first-response-deadline:question-4711")
    assert not played.all(QuestionEscalated)


def test_a_burst_of_questions_gets_one_acknowledgement_and_each_its_deadlines() -> None:
    played = world()
    for number in range(20):
        opening = replace(anna.open_it, text=f"Hello? ({number})", at=played.now)
        played.send(QUESTION, f"{number}", opening)
        played.pass_time(timedelta(seconds=10))
    assert len(played.all(MessageRequested)) == 1
    assert len(played.timers) == 20 * 4


def test_one_customers_burst_keeps_nobody_else_waiting() -> None:
    played = world()
    for customer_id in ("anna", "anna", "boris"):
        opening = replace(anna.open_it, customer_id=customer_id)
        played.send(QUESTION, f"{len(played.log)}", opening)
    played.react()
    assert len(played.all(MessageRequested)) == 2


def test_a_machine_that_answers_each_acknowledgement_is_soon_left_alone() -> None:
    """It does not say that it is one: each message of ours makes it ask again, minutes later."""
    played = world()
    for number in range(50):
        opening = replace(anna.open_it, text=f"Ticket {number} created", at=played.now)
        played.send(QUESTION, f"{number}", opening)
        played.pass_time(timedelta(minutes=11))
    assert len(played.all(QuestionAcknowledged)) == 3
    assert len(played.all(AcknowledgementWithheld)) == 47
    played.pass_time(2 * HOUR)
    played.send(QUESTION, "later", replace(anna.open_it, at=played.now))
    played.react()
    assert len(played.all(QuestionAcknowledged)) == 4


def test_a_machine_that_says_so_is_not_answered_at_all() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_by_machine)
    played.pass_time(WEEK)
    assert not played.all(MessageRequested)
    assert not played.all(QuestionEscalated)
    assert not played.timers


def test_what_comes_twice_has_no_effect_twice() -> None:
    played = world()
    for command in (anna.open_it, anna.open_it, anna.answer, anna.answer, anna.reply, anna.reply):
        played.send(QUESTION, "4711", command)
        played.react()
    assert len(played.happened("question-4711")) == 3
    assert len(played.all(MessageRequested)) == 2


def test_nothing_that_follows_is_refused() -> None:
    played = world()
    played.send(QUESTION, "4711", anna.open_it)
    played.pass_time(WEEK)
    assert played.refusals == []
    assert played.state(MESSAGE, "question-acknowledged:4711")
