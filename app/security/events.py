"""What happens to API keys. Of a key itself, events hold a keyed digest and no more."""

from datetime import datetime
from typing import ClassVar

from app.kernel.event import Event


class ApiKeyCreated(Event, frozen=True):
    """A key was made for an owner."""

    tag: ClassVar[str] = "api_key.created"
    title: ClassVar[str] = "Made an API key for {owner}"

    owner: str
    scopes: tuple[str, ...]
    digest: str
    """HMAC-SHA256 of the key under the store's secret, in hexadecimal."""
    expires_at: datetime | None = None


class ApiKeyRevoked(Event, frozen=True):
    """A key is not valid any more."""

    tag: ClassVar[str] = "api_key.revoked"
    title: ClassVar[str] = "Revoked an API key"


REGISTERED = (ApiKeyCreated, ApiKeyRevoked)
"""The event types of this package, for the catalogue."""
