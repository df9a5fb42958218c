"""What customers are told about their questions: that they have come, and the answers."""

from collections.abc import Iterator

from app.kernel.policy import Effect, Happened, Policy, Send
from app.modules.messages.decider import MESSAGE, RequestMessage
from app.modules.support.events import QuestionAcknowledged, QuestionAnswered


def _on_acknowledged(happened: Happened[QuestionAcknowledged]) -> Iterator[Effect]:
    text = f"We have your question and will answer it. Its reference is {happened.event.reference}."
    yield Send(
        MESSAGE,
        f"question-acknowledged:{happened.event.question_id}",
        RequestMessage("question-acknowledged", text),
        happened.customer_id,
    )


def _on_answered(happened: Happened[QuestionAnswered]) -> Iterator[Effect]:
    """The text is sealed under the customer's key already, and stays so."""
    yield Send(
        MESSAGE,
        f"question-answered:{happened.event_id}",
        RequestMessage("question-answered", happened.event.text),
        happened.customer_id,
    )


SUPPORT_MESSAGES = Policy(
    "support-messages",
    {QuestionAcknowledged: _on_acknowledged, QuestionAnswered: _on_answered},
)
