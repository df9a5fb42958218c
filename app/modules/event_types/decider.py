"""A type of events is declared, and declared again."""

from collections.abc import Sequence
from typing import Any, cast

from msgspec import Struct
from msgspec.json import Encoder

from app.kernel.decider import Decider
from app.kernel.event import Event
from app.modules.event_types.events import EventTypeDeclared

CATEGORY = "event-type"

# JSON tells 1 from true and from 1.0, which Python calls equal; the order of keys says nothing.
_encoder = Encoder(order="deterministic")


class DeclareEventType(Struct, frozen=True):
    """Say what events of a type look like."""

    declared: EventTypeDeclared


class NotDeclared(Struct, frozen=True):
    """Nothing was said of the type yet."""


EventTypeState = NotDeclared | EventTypeDeclared


def decide(command: DeclareEventType, state: EventTypeState) -> Sequence[Event]:
    """The declaration, unless it says what is said already."""
    is_known = isinstance(state, EventTypeDeclared) and (
        _encoder.encode(state) == _encoder.encode(command.declared)
    )
    return [] if is_known else [command.declared]


def evolve(_state: EventTypeState, event: Event) -> EventTypeState:
    """What was declared last."""
    return cast(EventTypeDeclared, event)  # the only event there is


EVENT_TYPE: Decider[DeclareEventType, Any] = Decider(
    category=CATEGORY,
    initial=NotDeclared(),
    decide=decide,
    evolve=evolve,
    events=(EventTypeDeclared,),
)
