"""What is sent to the API: free events, and commands to customers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from app.simulation.crowd import Person

EVENTS_PATH = "/v1/events"


class Event(Struct, frozen=True):
    """An event just as ``POST /v1/events`` takes it. One without a time happens when it is sent."""

    id: str
    type: str
    data: Mapping[str, Any]
    customer_id: str | UnsetType = UNSET
    anonymous_id: str | UnsetType = UNSET
    occurred_at: datetime | UnsetType = UNSET


class Command(Struct, frozen=True):
    """A command, and the key under which a repeat is recognised."""

    name: str
    fields: Mapping[str, Any]
    key: str
    path: str = ""
    """Where it is sent to; that of the customer, if it is not given."""


class Message(Struct, frozen=True):
    """An event or a command, and whom it is about."""

    person: Person
    content: Event | Command

    @property
    def is_event(self) -> bool:
        """Whether it is a free event; else it is a command."""
        return isinstance(self.content, Event)

    @property
    def is_of_customer(self) -> bool:
        """Whether it names a customer; else a visitor."""
        return not isinstance(self.content, Event) or self.content.customer_id is not UNSET

    @property
    def path(self) -> str:
        """Where it is sent to."""
        if isinstance(self.content, Event):
            return EVENTS_PATH
        return self.content.path or f"/v1/customers/{self.person.customer_id}/{self.content.name}"

    @property
    def body(self) -> bytes:
        """What is sent: the same bytes each time, for a repeat must equal its original."""
        if isinstance(self.content, Event):
            return msgspec.json.encode(self.content)
        return msgspec.json.encode(self.content.fields)

    @property
    def headers(self) -> Mapping[str, str]:
        """An event carries its id in its body, a command in a header."""
        if isinstance(self.content, Event):
            return {}
        return {"Idempotency-Key": self.content.key}

    @property
    def name(self) -> str:
        """What happened, or is to happen, in a few words."""
        return self.content.type if isinstance(self.content, Event) else self.content.name
