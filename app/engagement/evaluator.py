"""The evaluator: what rules make of a customer's events, as pure functions of the log.

The engine runs it live, a backtest over the past; so what it decides rests on nothing else: not on
clocks, databases or the order in which customers are looked at, but for `Totals`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.engagement.events import DecisionMade
from app.engagement.rulebook import RuleBook
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals


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

    made: DecisionMade
    effects: Sequence[Effect] = ()


class Evaluator:
    """Evaluates the rules of a book."""

    def __init__(self, book: RuleBook) -> None:
        """Take the rules, which may change from call to call."""
        self._book = book

    def on_event(
        self, state: CustomerState, totals: Totals, event: SeenEvent, profile: Profile
    ) -> list[Decision]:
        """What follows from an event; changes the state, and the totals.

        What fell due before the event was recorded has been done: see `on_due`.
        """
        raise NotImplementedError

    def on_due(
        self, state: CustomerState, totals: Totals, until: datetime, profile: Profile
    ) -> list[Decision]:
        """What fell due up to this time, in order, each at its own time."""
        raise NotImplementedError
