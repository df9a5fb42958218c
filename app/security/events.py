"""What happens to API keys, of which events hold a keyed digest alone; redactions and rewraps."""

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


class RewrapBegun(Event, frozen=True):
    """Somebody begins to wrap the data keys under a new master key."""

    tag: ClassVar[str] = "tidings.rewrap_begun"
    title: ClassVar[str] = "Began a rewrap"
    is_administrative: ClassVar[bool] = True


class RewrapDone(Event, frozen=True):
    """All living data keys are wrapped under the new master key."""

    tag: ClassVar[str] = "tidings.rewrapped"
    title: ClassVar[str] = "Rewrapped {data_keys} data keys"
    is_administrative: ClassVar[bool] = True

    data_keys: int
    epoch: str
    """The name of the new master key, which tells nothing of it."""


REGISTERED = (ApiKeyCreated, ApiKeyRevoked, RedactionBegun, RedactionDone, RewrapBegun, RewrapDone)
"""The event types of this package, for the catalogue."""
