"""Canonical events and appends that tests share."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw

from app.eventstore.port import ANY, Append, StreamAppend
from app.kernel.event import NewEvent
from app.kernel.ids import derived_event_id, new_event_id


def keyed_id(key: str, ordinal: int = 0) -> UUID:
    """The id that the same key always gives."""
    return derived_event_id("test", "event", key, ordinal)


def an_event(
    number: object = 1,
    *,
    event_id: UUID | None = None,
    type: str = "Product Added",  # noqa: A002 - the envelope's own word
    customer_id: str | None = "ann",
    fingerprint: str | None = None,
    data: bytes | None = None,
    **more: Any,
) -> NewEvent:
    """An event whose data says its number."""
    return NewEvent(
        event_id=event_id or new_event_id(),
        type=type,
        data=Raw(data if data is not None else msgspec.json.encode({"number": number})),
        metadata=Raw(
            msgspec.json.encode(
                {"source": "test"} | ({"fingerprint": fingerprint} if fingerprint else {})
            )
        ),
        customer_id=customer_id,
        **more,
    )


def an_append(
    stream: str = "order-1",
    *events: NewEvent,
    expected_version: int | None = ANY,
    fingerprint: str | None = None,
) -> Append:
    """Events (one, if none is given) for one stream."""
    return Append((StreamAppend(stream, events or (an_event(),), expected_version),), fingerprint)
