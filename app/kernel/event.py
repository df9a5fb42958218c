"""Events: what a module declares, what is sent to the store, and what the store recorded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from msgspec import Meta, Raw, Struct

ACTIVITY = "activity"
"""The category, and the timeline's kind, of events that services send."""

_OBJECT = {"extra": {"type": "object"}}  # for the API's document


class Event(Struct, frozen=True):
    """The base of a module's events: past tense, with an explicit wire tag."""

    tag: ClassVar[str]
    """The wire tag, such as ``order.placed``; its part before the dot is the module's prefix."""
    title: ClassVar[str]
    """The timeline's wording, such as ``Placed order {order_id}``; filled from the data."""
    schema_version: ClassVar[int] = 1
    """The shape of the data, counted up by each change that an upcaster bridges."""
    is_administrative: ClassVar[bool] = False
    """Whether it is an act of those who run the store, so that `GET /v1/audit` shows it.

    A type that was recorded before it came to be one takes a new version of the projection `audit`.
    """

    @staticmethod
    def title_values(data: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the title is filled from, given the data as it was recorded, of whatever age."""
        return data


class Metadata(Struct, frozen=True, omit_defaults=True):
    """Where an event comes from; each part is absent when unknown."""

    correlation_id: str | None = None
    causation_id: str | None = None
    actor: str | None = None
    source: str | None = None
    request_id: str | None = None
    fingerprint: str | None = None
    """A keyed digest of the request as sent, by which a reused idempotency key is told apart."""
    depth: int | None = None
    """How many reactions led here since somebody, or a timer, began; None: none did."""


class NewEvent(Struct, frozen=True, omit_defaults=True):
    """An event on its way to the store; its id is chosen before it is sent.

    Encoded as JSON, it is most of a record of `append_events`.
    """

    event_id: UUID
    type: str
    data: Raw
    """A JSON object."""
    metadata: Raw
    """A JSON object: an encoded `Metadata`."""
    schema_version: int = 1
    customer_id: str | None = None
    occurred_at: datetime | None = None
    """With an offset; None: when it is recorded."""


class RecordedEvent(Struct, frozen=True):
    """An event of the log, upcast to today's shape. Encoded as JSON, it is what the API shows."""

    position: Annotated[int, Meta(examples=[1042])]
    event_id: UUID
    stream: Annotated[str, Meta(examples=["activity-anna"])]
    version: Annotated[int, Meta(examples=[7])]
    type: Annotated[str, Meta(examples=["Product Added"])]
    schema_version: int
    customer_id: Annotated[str | None, Meta(examples=["anna"])]
    data: Annotated[Raw, Meta(examples=[{"sku": "A-7", "price": 12.5}], extra_json_schema=_OBJECT)]
    metadata: Annotated[
        Raw,
        Meta(
            examples=[{"source": "default", "correlation_id": "visit-3", "request_id": "req-7"}],
            extra_json_schema=_OBJECT,
        ),
    ]
    occurred_at: datetime
    recorded_at: datetime


def kind_of(stream: str, event_type: str) -> str:
    """What a timeline entry is about: a built-in tag's prefix, or ``activity``.

    `projections/timeline/apply.sql` says the same in SQL, and a test keeps the two equal.
    """
    return ACTIVITY if stream.startswith(f"{ACTIVITY}-") else event_type.split(".", 1)[0]


class EventCatalogue:
    """The event types of the built-in modules, by wire tag."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        """Collect the types; two with one tag are a programming error."""
        self.types: dict[str, type[Event]] = {}
        for event_type in types:
            if self.types.setdefault(event_type.tag, event_type) is not event_type:
                raise ValueError(f"two event types have the tag {event_type.tag}")
        self._prefixes = tuple({f"{tag.split('.', 1)[0]}." for tag in self.types} | {"tidings."})

    def is_reserved(self, event_type: str) -> bool:
        """Whether a sender may not use this type, for it looks like a built-in one."""
        return event_type.startswith(self._prefixes)

    @property
    def administrative(self) -> list[str]:
        """The tags of those that are shown in the audit."""
        return sorted(tag for tag, declared in self.types.items() if declared.is_administrative)

    def title_template(self, event_type: str) -> str | None:
        """The wording that the type declares; None for a type that is not built in."""
        declared = self.types.get(event_type)
        return declared.title if declared else None

    def title_values(self, event_type: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """What that wording is filled from."""
        return self.types.get(event_type, Event).title_values(data)
