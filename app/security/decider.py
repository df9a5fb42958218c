"""What may happen to an API key: it is made once, and revoked once."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.security.events import ApiKeyCreated, ApiKeyRevoked

CATEGORY = "api-key"


class CreateApiKey(Struct, frozen=True):
    """Let an owner do what the scopes say."""

    owner: str
    scopes: tuple[str, ...]
    digest: str
    expires_at: datetime | None = None


class RevokeApiKey(Struct, frozen=True):
    """Let nobody in with this key any more."""


class NoSuchKey(NotFound, Refused):
    """There is no such API key."""


class NoKey(Struct, frozen=True):
    """There is no key with this id."""


class StoredKey(Struct, frozen=True):
    """A key that was made."""

    owner: str
    scopes: frozenset[str]
    digest: str
    expires_at: datetime | None
    is_revoked: bool = False

    def is_valid(self, now: datetime) -> bool:
        """Whether it lets anybody in."""
        return not self.is_revoked and (self.expires_at is None or now < self.expires_at)


KeyState = NoKey | StoredKey
KeyCommand = CreateApiKey | RevokeApiKey


def decide(command: KeyCommand, state: KeyState) -> Sequence[Event]:
    """The events that a command leads to; `NoSuchKey` for one that was never made."""
    match command, state:
        case CreateApiKey(owner, scopes, digest, expires_at), NoKey():
            return [ApiKeyCreated(owner, scopes, digest, expires_at)]
        case RevokeApiKey(), StoredKey(is_revoked=False):
            return [ApiKeyRevoked()]
        case RevokeApiKey(), NoKey():
            raise NoSuchKey
        case _:
            return []


def evolve(state: KeyState, event: Event) -> KeyState:
    """The state after an event."""
    match event, state:
        case ApiKeyCreated(owner, scopes, digest, expires_at), _:
            return StoredKey(owner, frozenset(scopes), digest, expires_at)
        case ApiKeyRevoked(), StoredKey():
            return replace(state, is_revoked=True)
        case _:
            raise UnknownEvent(f"{event.tag} does not happen to an API key")


API_KEY: Decider[KeyCommand, KeyState] = Decider(
    category=CATEGORY,
    initial=NoKey(),
    decide=decide,
    evolve=evolve,
    events=(ApiKeyCreated, ApiKeyRevoked),
)
