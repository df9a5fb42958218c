"""What happens to API keys, of which events hold a keyed digest alone; and redactions."""

from datetime import datetime
from typing import ClassVar

from app.kernel.event import Event


class ApiKeyCreated(Event, frozen=True):
    """A key was made for an owner."""

    tag: ClassVar[str] = "api_key.created"
    title: ClassVar[str] = "Made an API key for {owner}"
    is_administrative: ClassVar[bool] = True

    owner: str
    scopes: tuple[str, ...]
    digest: str
    """HMAC-SHA256 of the key under the store's secret, in hexadecimal."""
    expires_at: datetime | None = None


class ApiKeyRevoked(Event, frozen=True):
    """A key is not valid any more."""

    tag: ClassVar[str] = "api_key.revoked"
    title: ClassVar[str] = "Revoked an API key"
    is_administrative: ClassVar[bool] = True


class RedactionBegun(Event, frozen=True):
    """Somebody begins to seal what was recorded in plaintext."""

    tag: ClassVar[str] = "tidings.redaction_begun"
    title: ClassVar[str] = "Began a redaction"
    is_administrative: ClassVar[bool] = True

    fields: tuple[str, ...]
    """The names that are sensitive everywhere; event types may declare more."""


class RedactionDone(Event, frozen=True):
    """The log that there was when it began holds no plaintext of sensitive fields any more."""

    tag: ClassVar[str] = "tidings.redacted"
    title: ClassVar[str] = "Redacted {events} events"
    is_administrative: ClassVar[bool] = True

    events: int


REGISTERED = (ApiKeyCreated, ApiKeyRevoked, RedactionBegun, RedactionDone)
"""The event types of this package, for the catalogue."""
