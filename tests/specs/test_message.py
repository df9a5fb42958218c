"""What may happen to a message: requested once, read perhaps."""

import pytest

from app.kernel.errors import NotFound, UnknownEvent
from app.modules.customers.events import CustomerRegistered
from app.modules.messages.decider import MESSAGE, NoSuchMessage, RequestMessage
from app.modules.messages.events import MessageRequested, Priority
from app.testing.specs import given
from tests.controls import messages


def test_a_message_is_requested() -> None:
    given(MESSAGE).when(messages.request).then(messages.requested)


@pytest.mark.parametrize("priority", Priority)
def test_a_message_is_as_urgent_as_its_sender_says(priority: Priority) -> None:
    given(MESSAGE).when(RequestMessage("fraud", "Was it you?", priority)).then(
        MessageRequested("fraud", "Was it you?", priority)
    )


def test_requesting_a_message_again_is_nothing_whatever_it_says() -> None:
    other = RequestMessage("order-cancelled", "It was cancelled.", Priority.HIGH)
    for history in ([messages.requested], [messages.requested, messages.read]):
        for command in (messages.request, other):
            given(MESSAGE, *history).when(command).then_nothing()


def test_a_message_is_read() -> None:
    given(MESSAGE, messages.requested).when(messages.mark_read).then(messages.read)


def test_reading_a_message_again_is_nothing() -> None:
    given(MESSAGE, messages.requested, messages.read).when(messages.mark_read).then_nothing()


def test_a_message_that_was_never_requested_is_not_found() -> None:
    given(MESSAGE).when(messages.mark_read).then_refused(NoSuchMessage)
    assert issubclass(NoSuchMessage, NotFound)


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        MESSAGE.evolve(MESSAGE.initial, CustomerRegistered({}))
