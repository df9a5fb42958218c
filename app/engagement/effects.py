"""What decisions ask for: pure data, which the engine makes commands and events of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.engagement.events import DecisionMade


class MessageEffect(Struct, frozen=True):
    """A message is to be requested."""

    message_id: str
    kind: str
    channels: tuple[str, ...]
    priority: str
    template: str | None
    text: str | None
    parameters: Mapping[str, Any]
    not_before: datetime | None


class OfferEffect(Struct, frozen=True):
    """An offer is to be issued."""

    offer_id: str
    """The code of it follows from this id, under the store's secret."""
    offer: str
    expires_at: datetime


class RecordEffect(Struct, frozen=True):
    """An event is to be recorded."""

    event_id: UUID
    type: str
    data: Mapping[str, Any]


class CommandEffect(Struct, frozen=True):
    """A module's command is to be called."""

    command: str
    thing_id: str
    fields: Mapping[str, Any]


Effect = MessageEffect | OfferEffect | RecordEffect | CommandEffect


class Decision(Struct, frozen=True):
    """A decision, and what is to be done."""

    id: UUID
    """Derived from instance and step: the same wherever it is decided."""
    made: DecisionMade
    effects: Sequence[Effect] = ()
