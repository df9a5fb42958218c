"""What expressions see, by name: ``event.data.amount``, ``profile.traits.tier``, ``offer.code``."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from app.engagement.state import Profile, SeenEvent


class Facts(Struct, frozen=True):
    """The event at hand, what an instance remembers, and the profile."""

    profile: Profile
    event: SeenEvent | None = None
    inputs: Mapping[str, Any] = {}
    """By full names: ``trigger.data.cart_id``, ``offer.code``."""

    def value(self, name: str) -> Any:
        """The value; None when there is none."""
        raise NotImplementedError
