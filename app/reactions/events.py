"""What happens to reactions themselves."""

from typing import ClassVar
from uuid import UUID

from app.kernel.event import Event


class ReactionRefused(Event, frozen=True):
    """Nothing followed from an event, or from a timer, although a policy wanted it."""

    tag: ClassVar[str] = "reaction.refused"
    title: ClassVar[str] = "Refused {command}: {reason}"

    policy: str
    cause: UUID
    """The event that it would have followed from."""
    command: str
    stream: str
    """What the command was for."""
    reason: str
    """The code of the refusal, as in the API's problems."""
    detail: str


REGISTERED = (ReactionRefused,)
"""The event types of reactions, for the catalogue."""
