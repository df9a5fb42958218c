"""A decision, as a thing of its own: one stream each, of one event."""

from collections.abc import Sequence

from msgspec import Struct

from app.engagement.events import DecisionMade
from app.kernel.decider import Decider
from app.kernel.errors import UnknownEvent
from app.kernel.event import Event


class NoteDecision(Struct, frozen=True):
    """Note what was decided; nothing when it was noted before."""

    made: DecisionMade


def _decide(command: NoteDecision, is_noted: bool) -> Sequence[Event]:
    return () if is_noted else (command.made,)


def _evolve(_is_noted: bool, event: Event) -> bool:
    if not isinstance(event, DecisionMade):
        raise UnknownEvent(f"{event.tag} is no event of a decision")
    return True


DECISION: Decider[NoteDecision, bool] = Decider(
    category="decision",
    initial=False,
    decide=_decide,
    evolve=_evolve,
    events=(DecisionMade,),
)
