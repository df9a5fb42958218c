"""What follows from what happens to a question: timers, an acknowledgement, messages."""

from uuid import UUID

from app.kernel.event import Event
from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.support.correspondent import CORRESPONDENT, AcknowledgeQuestion
from app.modules.support.decider import QUESTION, Escalate, WarnOfDeadline
from app.modules.support.events import QuestionAcknowledged
from app.modules.support.policy import SUPPORT
from app.reactions.support_messages import SUPPORT_MESSAGES
from app.testing.specs import Followed, when
from tests.controls import support as anna

FIRST_WARNING = SetTimer(
    "first-response-warning:question-4711",
    anna.MONDAY + 3 * anna.HOUR,
    Send(QUESTION, "4711", anna.warn_of_first_response, anna.ANNA),
)
FIRST_DEADLINE = SetTimer(
    "first-response-deadline:question-4711",
    anna.MONDAY + 4 * anna.HOUR,
    Send(QUESTION, "4711", anna.escalate_first_response, anna.ANNA),
)
WARNING = SetTimer(
    "resolution-warning:question-4711",
    anna.MONDAY + 28 * anna.HOUR,
    Send(QUESTION, "4711", anna.warn_of_resolution, anna.ANNA),
)
DEADLINE = SetTimer(
    "resolution-deadline:question-4711",
    anna.MONDAY + 48 * anna.HOUR,
    Send(QUESTION, "4711", anna.escalate_resolution, anna.ANNA),
)
NO_FIRST_RESPONSE = (CancelTimer(FIRST_WARNING.key), CancelTimer(FIRST_DEADLINE.key))
NO_RESOLUTION = (CancelTimer(WARNING.key), CancelTimer(DEADLINE.key))


def after(event: Event) -> Followed:
    return when(SUPPORT, event, thing_id="4711", customer_id=anna.ANNA, at=anna.MONDAY)


def test_an_opened_question_has_its_deadlines_set_and_is_acknowledged() -> None:
    acknowledge = AcknowledgeQuestion("4711", anna.MONDAY)
    after(anna.opened).then(
        FIRST_WARNING,
        FIRST_DEADLINE,
        WARNING,
        DEADLINE,
        Send(CORRESPONDENT, anna.ANNA, acknowledge, anna.ANNA),
    )


def test_nothing_follows_from_a_machines_question() -> None:
    after(anna.opened_by_machine).then_nothing()


def test_the_clocks_that_run_on_have_their_deadlines_set() -> None:
    due = anna.MONDAY + 54 * anna.HOUR
    after(anna.resumed).then(
        SetTimer(
            WARNING.key,
            due - 4 * anna.HOUR,
            Send(QUESTION, "4711", WarnOfDeadline("resolution", due), anna.ANNA),
        ),
        SetTimer(DEADLINE.key, due, Send(QUESTION, "4711", Escalate("resolution", due), anna.ANNA)),
    )
    first_due = anna.MONDAY + 28 * anna.HOUR
    set_again = after(anna.reopened_unanswered).effects
    assert (
        SetTimer(
            FIRST_DEADLINE.key,
            first_due,
            Send(QUESTION, "4711", Escalate("first_response", first_due), anna.ANNA),
        )
        in set_again
    )
    assert len(set_again) == 4


def test_an_answer_ends_the_wait_for_the_first_response_and_a_machines_does_not() -> None:
    after(anna.answered).then(*NO_FIRST_RESPONSE)
    after(anna.automatically_answered).then_nothing()


def test_nothing_is_due_while_the_customer_is_waited_for_or_when_all_is_settled() -> None:
    after(anna.awaited_unanswered).then(*NO_FIRST_RESPONSE, *NO_RESOLUTION)
    after(anna.resolved).then(*NO_FIRST_RESPONSE, *NO_RESOLUTION)


def test_there_is_no_warning_behind_an_escalation() -> None:
    after(anna.first_response_escalated).then(*NO_FIRST_RESPONSE)
    after(anna.resolution_escalated).then(*NO_RESOLUTION)


def test_nothing_follows_from_words_and_warnings() -> None:
    after(anna.replied).then_nothing()
    after(anna.resolution_neared).then_nothing()


def test_the_customer_is_told_the_reference() -> None:
    when(
        SUPPORT_MESSAGES,
        QuestionAcknowledged("4711", "Q-4711", anna.MONDAY),
        thing_id=anna.ANNA,
        customer_id=anna.ANNA,
    ).then(
        Send(
            MESSAGE,
            "question-acknowledged:4711",
            RequestMessage(
                "question-acknowledged",
                "We have your question and will answer it. Its reference is Q-4711.",
            ),
            anna.ANNA,
        )
    )


def test_the_customer_is_told_the_answer() -> None:
    when(SUPPORT_MESSAGES, anna.answered, thing_id="4711", customer_id=anna.ANNA).then(
        Send(
            MESSAGE,
            f"question-answered:{UUID(int=0)}",
            RequestMessage("question-answered", "One of them is a reservation."),
            anna.ANNA,
        )
    )
