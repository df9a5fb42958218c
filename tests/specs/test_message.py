"""What may happen to a message: requested once, sent by the first channel that works, read."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from msgspec.structs import replace

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.modules.customers.events import CustomerRegistered
from app.modules.messages.decider import (
    MAX_TRIES_A_CHANNEL,
    MESSAGE,
    BeginSending,
    MessageCommand,
    NoSuchMessage,
    NotDroppable,
    NoteFailed,
    NoteReceipt,
    NoteSent,
    NotRetryable,
    NotSentSo,
    ReceiptStatus,
    RequestMessage,
)
from app.modules.messages.events import (
    FailureKind,
    MessageBounced,
    MessageFailed,
    MessageRequested,
    MessageRetried,
    MessageSending,
    MessageSent,
    Priority,
)
from app.modules.messages.states import (
    Bounced,
    Dead,
    Delivered,
    Dropped,
    Opened,
    Requested,
    Sending,
    Sent,
    Status,
    Unknown,
    Waiting,
)
from app.testing.specs import given
from tests.controls import messages

ONE_CHANNEL = replace(messages.requested_by_mail, channels=("email",))
REFUSED_AT_LAST = replace(messages.refused, fallback=None)
BOUNCED_AT_LAST = replace(messages.bounced, fallback=None)


def after(*events: Event) -> Requested:
    message = MESSAGE.fold(events)
    assert isinstance(message, Requested)
    return message


def status(*events: Event) -> Status:
    return after(*events).status


def test_a_message_is_requested() -> None:
    given(MESSAGE).when(messages.request).then(messages.requested)


@pytest.mark.parametrize("priority", Priority)
def test_a_message_is_as_urgent_as_its_sender_says(priority: Priority) -> None:
    given(MESSAGE).when(RequestMessage("fraud", "Was it you?", priority)).then(
        MessageRequested("fraud", "Was it you?", priority)
    )


def test_requesting_a_message_again_is_nothing_whatever_it_says() -> None:
    other = RequestMessage("order-cancelled", "It was cancelled.", Priority.HIGH)
    for history in ([messages.requested], [messages.requested, messages.read], messages.under_way):
        for command in (messages.request, other):
            given(MESSAGE, *history).when(command).then_nothing()


def test_a_text_for_the_inbox_is_there_by_being_requested() -> None:
    assert status(messages.requested) == Sent("inbox")


@pytest.mark.parametrize(
    "request_",
    [
        replace(messages.requested, not_before=messages.LATER),
        replace(messages.requested, text=None, template="welcome"),
    ],
)
def test_what_is_to_wait_or_has_no_words_yet_is_put_into_the_inbox_by_a_courier(
    request_: MessageRequested,
) -> None:
    assert status(request_) == Waiting("inbox", request_.not_before)
    given(MESSAGE, request_).when(BeginSending("inbox", 1, "Hello")).then(
        MessageSending("inbox", 1, request_.kind, "Hello"), MessageSent("inbox", 1)
    )


def test_a_message_is_read() -> None:
    given(MESSAGE, messages.requested).when(messages.mark_read).then(messages.read)


def test_reading_a_message_again_is_nothing() -> None:
    given(MESSAGE, messages.requested, messages.read).when(messages.mark_read).then_nothing()


@pytest.mark.parametrize(
    "command",
    [
        messages.mark_read,
        messages.begin,
        messages.note_sent,
        messages.note_failed,
        messages.note_unknown,
        messages.receipt(ReceiptStatus.OPENED),
        messages.retry,
        messages.drop,
    ],
)
def test_a_message_that_was_never_requested_is_not_found(command: MessageCommand) -> None:
    given(MESSAGE).when(command).then_refused(NoSuchMessage)
    assert issubclass(NoSuchMessage, NotFound)


def test_an_attempt_is_begun_and_has_an_outcome() -> None:
    given(MESSAGE, messages.requested_by_mail).when(messages.begin).then(messages.sending)
    given(MESSAGE, *messages.under_way).when(messages.note_sent).then(messages.sent)
    given(MESSAGE, *messages.under_way).when(messages.note_failed).then(messages.failed)
    given(MESSAGE, *messages.under_way).when(messages.note_unknown).then(messages.unknown)
    assert status(*messages.under_way) == Sending("email")
    assert status(*messages.under_way, messages.sent) == Sent("email")
    assert status(*messages.under_way, messages.failed) == Waiting("email", messages.LATER)
    assert status(*messages.under_way, messages.unknown) == Unknown("email")


@pytest.mark.parametrize(
    "begin",
    [
        messages.begin,
        BeginSending("email", 2, "It"),
        BeginSending("webhook", 2, "It"),
    ],
)
def test_of_several_couriers_one_begins_an_attempt(begin: BeginSending) -> None:
    given(MESSAGE, *messages.under_way).when(begin).then_nothing()
    given(MESSAGE, *messages.under_way, messages.sent).when(begin).then_nothing()


@pytest.mark.parametrize(
    "begin", [BeginSending("webhook", 1, "It"), BeginSending("email", 2, "It")]
)
def test_an_attempt_is_begun_by_the_channel_whose_turn_it_is(begin: BeginSending) -> None:
    given(MESSAGE, messages.requested_by_mail).when(begin).then_nothing()


@pytest.mark.parametrize("late", [messages.note_sent, messages.note_failed, messages.note_unknown])
def test_what_is_said_of_an_attempt_that_is_over_is_nothing(late: MessageCommand) -> None:
    for over in (
        (messages.sent,),
        (messages.failed, replace(messages.sending, attempt=2)),
        (messages.refused,),
        (messages.unknown, messages.dropped),
    ):
        given(MESSAGE, *messages.under_way, *over).when(late).then_nothing()


def test_what_was_unknown_may_turn_out_to_be_sent() -> None:
    history = (*messages.under_way, messages.unknown)
    given(MESSAGE, *history).when(messages.note_sent).then(messages.sent)
    assert status(*history, messages.sent) == Sent("email")


def test_what_fails_for_good_goes_by_the_next_channel_and_in_the_end_dies() -> None:
    given(MESSAGE, *messages.under_way).when(messages.note_refused).then(messages.refused)
    assert status(*messages.under_way, messages.refused) == Waiting("webhook")
    given(MESSAGE, ONE_CHANNEL, messages.sending).when(messages.note_refused).then(
        REFUSED_AT_LAST, messages.dead
    )
    assert status(ONE_CHANNEL, messages.sending, REFUSED_AT_LAST, messages.dead) == Dead("email")


def test_what_fails_before_it_is_begun_counts_as_an_attempt() -> None:
    given(MESSAGE, messages.requested_by_mail).when(messages.note_refused).then(messages.refused)
    message = after(messages.requested_by_mail, messages.failed)
    assert (message.attempts, message.tries) == (1, 1)


@pytest.mark.parametrize("failure", [FailureKind.TEMPORARY, FailureKind.INTERRUPTED])
@pytest.mark.parametrize("is_begun", [True, False])
def test_attempts_are_bounded(failure: FailureKind, is_begun: bool) -> None:
    history: list[Event] = [ONE_CHANNEL]
    for attempt in range(1, MAX_TRIES_A_CHANNEL + 1):
        if is_begun:
            history += MESSAGE.decide(BeginSending("email", attempt, "It"), MESSAGE.fold(history))
        note = NoteFailed(attempt, failure, "451", messages.LATER)
        history += MESSAGE.decide(note, MESSAGE.fold(history))
    assert history[-1] == messages.dead
    assert sum(isinstance(event, MessageFailed) for event in history) == MAX_TRIES_A_CHANNEL


def test_receipts_of_one_message_lead_to_the_same_in_any_order_and_however_often() -> None:
    said: list[MessageCommand] = [
        NoteSent(1),
        messages.receipt(ReceiptStatus.DELIVERED),
        messages.receipt(ReceiptStatus.OPENED),
    ]
    for order in permutations([*said, *said]):
        history: list[Event] = list(messages.under_way)
        for command in order:
            history += MESSAGE.decide(command, MESSAGE.fold(history))
        assert status(*history) == Opened("email")
        assert sorted(event.tag for event in history[2:]) == [
            "message.delivered",
            "message.opened",
            "message.sent",
        ]


def test_delivered_is_known_until_it_is_opened() -> None:
    assert status(*messages.under_way, messages.delivered) == Delivered("email")
    assert status(*messages.under_way, messages.opened, messages.delivered) == Opened("email")


@pytest.mark.parametrize(
    "before", [(messages.failed,), (messages.unknown,), (REFUSED_AT_LAST, messages.dead)]
)
def test_a_receipt_tells_of_what_was_thought_to_have_failed(before: Sequence[Event]) -> None:
    history = (ONE_CHANNEL, messages.sending, *before, messages.delivered)
    assert status(*history) == Delivered("email")
    given(MESSAGE, *history).when(BeginSending("email", 2, "It")).then_nothing()


@pytest.mark.parametrize(
    ("said", "hard"),
    [
        (ReceiptStatus.BOUNCED_HARD, True),
        (ReceiptStatus.BOUNCED, False),
        (ReceiptStatus.FAILED, False),
    ],
)
def test_what_came_back_goes_by_the_next_channel(said: ReceiptStatus, hard: bool) -> None:
    came_back = MessageBounced("email", hard, messages.AT, "webhook")
    for until in ((), (messages.sent,), (messages.sent, messages.delivered)):
        given(MESSAGE, *messages.under_way, *until).when(messages.receipt(said)).then(came_back)
        assert status(*messages.under_way, *until, came_back) == Waiting("webhook")


def test_what_came_back_from_the_last_channel_has_bounced() -> None:
    given(MESSAGE, ONE_CHANNEL, messages.sending, messages.sent).when(
        messages.receipt(ReceiptStatus.BOUNCED_HARD)
    ).then(BOUNCED_AT_LAST)
    assert status(ONE_CHANNEL, messages.sending, BOUNCED_AT_LAST) == Bounced("email")


def test_what_was_opened_goes_by_no_other_channel() -> None:
    history = (*messages.under_way, messages.sent, messages.opened)
    given(MESSAGE, *history).when(messages.receipt(ReceiptStatus.BOUNCED_HARD)).then(
        BOUNCED_AT_LAST
    )
    assert status(*history, BOUNCED_AT_LAST) == Opened("email")


def test_a_late_receipt_does_not_call_a_message_back_that_goes_by_another_channel() -> None:
    history = (*messages.under_way, messages.refused)
    assert status(*history, messages.delivered) == Waiting("webhook")
    given(MESSAGE, *history).when(messages.receipt(ReceiptStatus.BOUNCED_HARD)).then(
        BOUNCED_AT_LAST
    )


@pytest.mark.parametrize("said", ReceiptStatus)
def test_a_receipt_for_what_was_not_sent_so_is_refused(said: ReceiptStatus) -> None:
    note = NoteReceipt("webhook", said, messages.AT)
    given(MESSAGE, messages.requested_by_mail).when(note).then_refused(NotSentSo)
    given(MESSAGE, *messages.under_way).when(note).then_refused(NotSentSo)


@pytest.mark.parametrize(
    "given_up",
    [
        (REFUSED_AT_LAST, messages.dead),
        (messages.unknown,),
        (messages.failed,),
        (BOUNCED_AT_LAST,),
    ],
)
def test_what_was_given_up_is_retried_or_dropped(given_up: Sequence[Event]) -> None:
    history = (ONE_CHANNEL, messages.sending, *given_up)
    given(MESSAGE, *history).when(messages.retry).then(MessageRetried("email"))
    message = after(*history, messages.retried)
    assert (message.status, message.attempts, message.tries) == (Waiting("email"), 1, 0)
    given(MESSAGE, *history).when(messages.drop).then(messages.dropped)
    assert status(*history, messages.dropped) == Dropped("email")


def test_what_is_retried_begins_with_its_first_channel_but_where_nobody_knows() -> None:
    by_webhook = MessageSending("webhook", 2, "order-confirmed", "It")
    second = (*messages.under_way, messages.refused, by_webhook)
    unknown = replace(messages.unknown, channel="webhook", attempt=2)
    given(MESSAGE, *second, unknown).when(messages.retry).then(MessageRetried("webhook"))
    failed = replace(REFUSED_AT_LAST, channel="webhook", attempt=2)
    given(MESSAGE, *second, failed, messages.dead).when(messages.retry).then(
        MessageRetried("email")
    )


@pytest.mark.parametrize(
    "history",
    [
        (messages.requested,),
        (messages.requested_by_mail,),
        messages.under_way,
        (*messages.under_way, messages.sent),
        (*messages.under_way, messages.delivered),
        (messages.requested_by_mail, messages.dropped),
    ],
)
def test_what_is_sent_or_on_its_way_or_dropped_is_not_retried(history: Sequence[Event]) -> None:
    given(MESSAGE, *history).when(messages.retry).then_refused(NotRetryable)


@pytest.mark.parametrize(
    "history",
    [
        (messages.requested,),
        messages.under_way,
        (*messages.under_way, messages.sent),
        (*messages.under_way, messages.opened),
    ],
)
def test_what_is_sent_or_being_sent_is_not_dropped(history: Sequence[Event]) -> None:
    given(MESSAGE, *history).when(messages.drop).then_refused(NotDroppable)


def test_what_was_dropped_stays_so() -> None:
    history = (messages.requested_by_mail, messages.dropped)
    given(MESSAGE, *history).when(messages.drop).then_nothing()
    given(MESSAGE, *history).when(messages.begin).then_nothing()


def test_an_event_of_something_else_is_not_folded() -> None:
    for message in (MESSAGE.initial, after(messages.requested)):
        with pytest.raises(UnknownEvent):
            MESSAGE.evolve(message, CustomerRegistered({}))
