"""A question of a customer: opened, answered, waiting for the customer, resolved; two clocks."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.support.clocks import all_time, running, stopped
from app.modules.support.desks import Limit
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
from app.modules.support.loops import MAX_IN_LOOP_WINDOW, is_loop

MAX_REMEMBERED_REPLIES = 100


class NoSuchQuestion(NotFound, Refused):
    """There is no such question."""


class QuestionTaken(Refused):
    """There is another question of this id."""


class QuestionIsResolved(Refused):
    """The question is resolved; reopen it first."""


class AnsweringMachine(Refused):
    """A machine seems to write here; only a person may answer."""


class OpenQuestion(Struct, frozen=True):
    """Ask something; nothing when the same was asked under this id before."""

    customer_id: str
    text: Sensitive[str]
    channel: str
    topic: str
    is_automatic: bool
    desk: str
    time_zone: str
    at: datetime


class AnswerQuestion(Struct, frozen=True):
    """Answer; nothing when it is the last answer again, with no word of the customer since."""

    text: Sensitive[str]
    is_automatic: bool
    at: datetime


class AwaitCustomer(Struct, frozen=True):
    """Let the clocks stand still until the customer writes."""

    at: datetime


class NoteReply(Struct, frozen=True):
    """Take what the customer wrote; nothing when this reply was taken before."""

    reply_id: str
    text: Sensitive[str]
    is_automatic: bool
    at: datetime


class ResolveQuestion(Struct, frozen=True):
    """Settle the question."""


class ReopenQuestion(Struct, frozen=True):
    """Take up a question that was resolved."""

    at: datetime


class WarnOfDeadline(Struct, frozen=True, tag="warn_of_deadline"):
    """Say that there is little time left, if this deadline still stands."""

    limit: Limit
    due_at: datetime


class Escalate(Struct, frozen=True, tag="escalate"):
    """Say that the time is used up, if this deadline still stands."""

    limit: Limit
    due_at: datetime


QuestionCommand = (
    OpenQuestion
    | AnswerQuestion
    | AwaitCustomer
    | NoteReply
    | ResolveQuestion
    | ReopenQuestion
    | WarnOfDeadline
    | Escalate
)


class Known(Struct, frozen=True):
    """What is known of a question, whatever its status."""

    opened: QuestionOpened
    is_answered: bool = False
    """By a person."""
    last_answer: Sensitive[str] | None = None
    """None: the customer wrote since."""
    automatic_answers: tuple[datetime, ...] = ()
    """When the last of them were given."""
    replies: tuple[str, ...] = ()
    """The ids of the last of them."""
    hears_machine: bool = False
    """Whether what the customer's side wrote last says that a machine wrote it."""


class NotOpened(Struct, frozen=True):
    """There is no question."""


class Open(Struct, frozen=True):
    """It is our turn: the clocks run."""

    known: Known
    first_response: Deadline | None
    """None: it was in time, or is overdue and escalated."""
    resolution: Deadline | None


class Waiting(Struct, frozen=True):
    """It is the customer's turn: the clocks stand still."""

    known: Known
    first_response: TimeLeft | None
    resolution: TimeLeft | None


class Resolved(Struct, frozen=True):
    """It is settled."""

    known: Known


Asked = Open | Waiting | Resolved
Question = NotOpened | Asked


def decide_question(command: QuestionCommand, question: Question) -> Sequence[Event]:
    """What follows from a command to a question."""
    if isinstance(command, OpenQuestion):
        return _open(command, question)
    if isinstance(question, NotOpened):
        raise NoSuchQuestion
    match command:
        case AnswerQuestion():
            return _answer(command, question)
        case AwaitCustomer():
            return _await_customer(command, question)
        case NoteReply():
            return _note_reply(command, question)
        case ResolveQuestion() | ReopenQuestion():
            return _settle(command, question)
        case WarnOfDeadline() | Escalate():
            return _check_deadline(command, question)
        case _:
            assert_never(command)


def _open(command: OpenQuestion, question: Question) -> Sequence[Event]:
    """A machine's message is kept, and waits for a person to write."""
    if not isinstance(question, NotOpened):
        if _asks_the_same(command, question.known.opened):
            return ()
        raise QuestionTaken
    opened = QuestionOpened(
        command.customer_id,
        command.text,
        command.channel,
        command.topic,
        command.is_automatic,
        command.desk,
        command.time_zone,
        None,
        None,
    )
    first, whole = all_time(opened, "first_response"), all_time(opened, "resolution")
    if command.is_automatic:
        return (opened, CustomerAwaited(first, whole))
    return (
        replace(
            opened,
            first_response=running(opened, "first_response", first, command.at),
            resolution=running(opened, "resolution", whole, command.at),
        ),
    )


def _asks_the_same(command: OpenQuestion, opened: QuestionOpened) -> bool:
    asked = (opened.customer_id, opened.text, opened.channel, opened.topic)
    return (command.customer_id, command.text, command.channel, command.topic) == asked


def _answer(command: AnswerQuestion, question: Asked) -> Sequence[Event]:
    known = question.known
    counts_already = command.is_automatic or known.is_answered
    if known.last_answer == command.text and counts_already:
        return ()
    if isinstance(question, Resolved):
        raise QuestionIsResolved
    in_loop = is_loop(known.automatic_answers, command.at)
    if command.is_automatic and (known.hears_machine or in_loop):
        raise AnsweringMachine
    return (QuestionAnswered(command.text, command.is_automatic, command.at),)


def _await_customer(command: AwaitCustomer, question: Asked) -> Sequence[Event]:
    match question:
        case Open(known, first_response, resolution):
            return (
                CustomerAwaited(
                    stopped(known.opened, first_response, command.at),
                    stopped(known.opened, resolution, command.at),
                ),
            )
        case Waiting():
            return ()
        case Resolved():
            raise QuestionIsResolved
        case _:
            assert_never(question)


def _note_reply(command: NoteReply, question: Asked) -> Sequence[Event]:
    """A person's reply makes it our turn; a machine's is kept and changes nothing."""
    if command.reply_id in question.known.replies:
        return ()
    replied = CustomerReplied(command.reply_id, command.text, command.is_automatic)
    if command.is_automatic:
        return (replied,)
    match question:
        case Open():
            return (replied,)
        case Waiting():
            return (replied, _resumed(question, command.at))
        case Resolved():
            return (replied, _reopened(question, command.at))
        case _:
            assert_never(question)


def _resumed(question: Waiting, at: datetime) -> QuestionResumed:
    opened = question.known.opened
    return QuestionResumed(
        running(opened, "first_response", question.first_response, at),
        running(opened, "resolution", question.resolution, at),
    )


def _reopened(question: Resolved, at: datetime) -> QuestionReopened:
    """With all the time that there was at first: a solution that did not hold is none."""
    opened = question.known.opened
    first = None if question.known.is_answered else all_time(opened, "first_response")
    return QuestionReopened(
        running(opened, "first_response", first, at),
        running(opened, "resolution", all_time(opened, "resolution"), at),
    )


def _settle(command: ResolveQuestion | ReopenQuestion, question: Asked) -> Sequence[Event]:
    if isinstance(command, ResolveQuestion):
        return () if isinstance(question, Resolved) else (QuestionResolved(),)
    return (_reopened(question, command.at),) if isinstance(question, Resolved) else ()


def _check_deadline(command: WarnOfDeadline | Escalate, question: Asked) -> Sequence[Event]:
    """Nothing when the clock stands still, has been moved, or is done with."""
    deadline = _deadline(question, command.limit)
    if deadline is None or deadline.due_at != command.due_at:
        return ()
    if isinstance(command, Escalate):
        return (QuestionEscalated(command.limit, command.due_at),)
    return () if deadline.warn_at is None else (DeadlineNeared(command.limit, command.due_at),)


def _deadline(question: Asked, limit: Limit) -> Deadline | None:
    if not isinstance(question, Open):
        return None
    return question.first_response if limit == "first_response" else question.resolution


def evolve_question(question: Question, event: Event) -> Question:
    """The question after an event."""
    if isinstance(event, QuestionOpened):
        known = Known(event, hears_machine=event.is_automatic)
        return Open(known, event.first_response, event.resolution)
    if isinstance(question, NotOpened):
        raise UnknownEvent(f"{event.tag} is no event of a question that was not opened")
    match event:
        case QuestionResumed() | QuestionReopened():
            return Open(question.known, event.first_response, event.resolution)
        case CustomerAwaited():
            return Waiting(question.known, event.first_response, event.resolution)
        case QuestionResolved():
            return Resolved(question.known)
        case QuestionAnswered() | CustomerReplied():
            return _after_words(question, event)
        case DeadlineNeared() | QuestionEscalated():
            return _after_deadline(question, event)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a question")


def _after_words(question: Asked, event: QuestionAnswered | CustomerReplied) -> Asked:
    known = _known_after(question.known, event)
    if known.is_answered and not isinstance(question, Resolved):
        return replace(question, known=known, first_response=None)
    return replace(question, known=known)


def _known_after(known: Known, event: QuestionAnswered | CustomerReplied) -> Known:
    if isinstance(event, CustomerReplied):
        replies = (*known.replies, event.reply_id)[-MAX_REMEMBERED_REPLIES:]
        return replace(known, last_answer=None, replies=replies, hears_machine=event.is_automatic)
    known = replace(known, last_answer=event.text)
    if not event.is_automatic:
        return replace(known, is_answered=True)
    automatic = (*known.automatic_answers, event.at)[-MAX_IN_LOOP_WINDOW:]
    return replace(known, automatic_answers=automatic)


def _after_deadline(question: Asked, event: DeadlineNeared | QuestionEscalated) -> Asked:
    deadline = _deadline(question, event.limit)
    if not isinstance(question, Open) or deadline is None:
        raise UnknownEvent(f"{event.tag} is no event of a question without such a deadline")
    is_over = isinstance(event, QuestionEscalated)
    after = None if is_over else replace(deadline, warn_at=None)
    return replace(question, **{event.limit: after})


def _customer_of(question: Question) -> str | None:
    return None if isinstance(question, NotOpened) else question.known.opened.customer_id


QUESTION: Decider[QuestionCommand, Question] = Decider(
    category="question",
    initial=NotOpened(),
    decide=decide_question,
    evolve=evolve_question,
    events=(
        QuestionOpened,
        QuestionAnswered,
        CustomerAwaited,
        CustomerReplied,
        QuestionResumed,
        QuestionResolved,
        QuestionReopened,
        DeadlineNeared,
        QuestionEscalated,
    ),
    commands=(WarnOfDeadline, Escalate),
    customer_of=_customer_of,
)
