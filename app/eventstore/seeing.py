"""Recorded events as somebody may see them."""

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from app.kernel.cipher import View
from app.kernel.event import RecordedEvent

E = TypeVar("E", bound=RecordedEvent)


async def seen(events: Sequence[E], view: View) -> list[E]:
    """The events with what is sealed in their data opened, or masked, as the view has it."""
    data = await view([(event.customer_id, event.data) for event in events])
    return [
        event if seen_data is event.data else replace(event, data=seen_data)
        for event, seen_data in zip(events, data, strict=True)
    ]
