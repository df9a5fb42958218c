"""A customer as somebody whom we write to by ourselves: how often, and when rather not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.support.events import AcknowledgementWithheld, QuestionAcknowledged
from app.modules.support.loops import LOOP_WINDOW, MAX_IN_LOOP_WINDOW, is_loop

BURST_WINDOW = timedelta(minutes=10)
"""Since an acknowledgement: for what is asked meanwhile, it will do."""


class AcknowledgeQuestion(Struct, frozen=True):
    """Tell the customer that a question has come, unless that would be too much."""

    question_id: str
    at: datetime


class Correspondent(Struct, frozen=True):
    """What we wrote of late."""

    acknowledged: tuple[datetime, ...] = ()
    """When the last acknowledgements were sent."""
    last_question_id: str | None = None
    """Of the last that was acknowledged, or not for a loop."""
    withheld_at: datetime | None = None
    """When the last was not sent for a loop."""


def decide_correspondent(
    command: AcknowledgeQuestion, correspondent: Correspondent
) -> Sequence[Event]:
    """One acknowledgement a burst; none in a loop, which ends with an hour of silence."""
    question_id, at = command.question_id, command.at
    if question_id == correspondent.last_question_id:
        return ()
    sent, withheld_at = correspondent.acknowledged, correspondent.withheld_at
    if sent and at - sent[-1] < BURST_WINDOW:
        return ()
    goes_on = withheld_at is not None and at - withheld_at < LOOP_WINDOW
    if goes_on or is_loop(sent, at):
        return (AcknowledgementWithheld(question_id, "loop", at),)
    return (QuestionAcknowledged(question_id, reference_of(question_id), at),)


def reference_of(question_id: str) -> str:
    """What the customer may call the question by."""
    return f"Q-{question_id}"


def evolve_correspondent(correspondent: Correspondent, event: Event) -> Correspondent:
    """The correspondent after an event."""
    match event:
        case QuestionAcknowledged(question_id=question_id, at=at):
            acknowledged = (*correspondent.acknowledged, at)[-MAX_IN_LOOP_WINDOW:]
            return Correspondent(acknowledged, question_id)
        case AcknowledgementWithheld(question_id=question_id, at=at):
            return replace(correspondent, last_question_id=question_id, withheld_at=at)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a correspondent")


CORRESPONDENT: Decider[AcknowledgeQuestion, Correspondent] = Decider(
    category="correspondent",
    initial=Correspondent(),
    decide=decide_correspondent,
    evolve=evolve_correspondent,
    events=(QuestionAcknowledged, AcknowledgementWithheld),
)
