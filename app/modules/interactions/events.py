"""What is done with quarantined events; none of their data stands here."""

from typing import ClassVar
from uuid import UUID

from app.kernel.event import Event


class ReplayBegun(Event, frozen=True):
    """Somebody asked for the quarantined events to be looked at again."""

    tag: ClassVar[str] = "quarantine.replay_begun"
    title: ClassVar[str] = "Began to replay quarantined events"
    is_administrative: ClassVar[bool] = True

    type: str | None = None
    """Those of one type; None: all."""


class QuarantinedEventDiscarded(Event, frozen=True):
    """Somebody had a quarantined event removed for good."""

    tag: ClassVar[str] = "quarantine.event_discarded"
    title: ClassVar[str] = "Discarded a quarantined event ({type})"
    is_administrative: ClassVar[bool] = True

    event_id: UUID
    type: str


REGISTERED = (ReplayBegun, QuarantinedEventDiscarded)
"""The event types of this module, for the catalogue."""
