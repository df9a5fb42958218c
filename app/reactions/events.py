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


class ReactionAct(Event, frozen=True):
    """What operators ask for; recorded before it is done, whatever comes of it."""

    is_administrative: ClassVar[bool] = True


class RetryRequested(ReactionAct, frozen=True):
    """Somebody wants what is left out of a key reacted to."""

    tag: ClassVar[str] = "reaction.retry_requested"
    title: ClassVar[str] = "Asked to retry what reactions leave out"

    key: str | None
    """None: of all parked keys."""


class SkipRequested(ReactionAct, frozen=True):
    """Somebody wants the first event that is left out of a key to be of no consequence."""

    tag: ClassVar[str] = "reaction.skip_requested"
    title: ClassVar[str] = "Asked to skip an event in reactions"

    key: str


REGISTERED = (ReactionRefused, RetryRequested, SkipRequested)
"""The event types of reactions, for the catalogue."""
