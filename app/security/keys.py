"""API keys: made, listed, rotated and revoked. Each is a stream of its own in the log."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from app.eventstore.codec import Codec
from app.eventstore.execute import Executor, Step
from app.eventstore.port import EventStore
from app.kernel.clock import Clock
from app.kernel.errors import InvalidInput, NotFound, Refused
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.ids import check_id, stream_name
from app.kernel.principal import EVERYTHING, SCOPES
from app.security.api_key import new_api_key
from app.security.decider import (
    API_KEY,
    CreateApiKey,
    KeyCommand,
    KeyState,
    RevokeApiKey,
    StoredKey,
)
from app.security.uses import KeyUses

PAGE_EVENTS = 1_000
VALID_AT_ONCE = 2
"""Of one owner's keys after a rotation: the new one, and the one that is in use."""


class NameTaken(Refused):
    """There are valid API keys of this name; rotate them."""


class NewKey(Struct, frozen=True):
    """A key that was just made; this is the only time that it is told."""

    key: Annotated[str, Meta(examples=["tdg_live_3kTMd1AqzX0b_…"])]
    key_id: Annotated[str, Meta(examples=["3kTMd1AqzX0b"])]
    name: Annotated[str, Meta(examples=["shop"])]
    scopes: tuple[str, ...]
    expires_at: datetime | None


class KeyInfo(Struct, frozen=True):
    """What is known of a key."""

    key_id: Annotated[str, Meta(examples=["3kTMd1AqzX0b"])]
    name: Annotated[str, Meta(examples=["shop"])]
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    is_revoked: bool
    last_used_at: datetime | None
    """To about ten seconds."""


class Keys:
    """The keys of one store."""

    def __init__(
        self,
        store: EventStore,
        executor: Executor,
        codec: Codec,
        uses: KeyUses,
        *,
        secret: bytes,
        environment: str,
        clock: Clock,
    ) -> None:
        """`environment` stands in the keys that are made; the secret digests them."""
        self._store = store
        self._executor = executor
        self._codec = codec
        self._uses = uses
        self._secret = secret
        self._environment = environment
        self._clock = clock

    async def create(
        self, name: str, scopes: Sequence[str], lifetime: timedelta | None, metadata: Metadata
    ) -> NewKey:
        """Make the first key of a name, or the first since all before it have ended.

        Raises `NameTaken`, or `InvalidInput` for a scope.
        """
        check_id(name, field="name")
        if ":" in name:  # as in the names of those who come with a token, such as customer:anna
            raise InvalidInput("a key's name has no colon", field="name")
        check_scopes(scopes)
        if await self._valid(name):
            raise NameTaken
        expires_at = self._clock() + lifetime if lifetime else None
        made = await self._make(name, scopes, expires_at, metadata)
        valid = await self._valid(name)
        if valid and valid[0].key_id != made.key_id:  # another was made meanwhile, before it
            await self.revoke(made.key_id, metadata)
            raise NameTaken
        return made

    async def lend(
        self, name: str, scopes: Sequence[str], lifetime: timedelta, metadata: Metadata
    ) -> NewKey:
        """Make a key that ends soon, whatever other keys there are of its name."""
        return await self._make(name, scopes, self._clock() + lifetime, metadata)

    async def rotate(self, name: str, lifetime: timedelta | None, metadata: Metadata) -> NewKey:
        """Make a further key of a name, with the same scopes; the newest before it stays valid.

        Older ones are revoked. Raises `NotFound` when there is none.
        """
        valid = await self._valid(name)
        if not valid:
            raise NotFound(f"there is no valid API key of the name {name!r}")
        expires_at = self._clock() + lifetime if lifetime else None
        made = await self._make(name, valid[-1].scopes, expires_at, metadata)
        for key in valid[: 1 - VALID_AT_ONCE]:
            await self.revoke(key.key_id, metadata)
        return made

    async def revoke(self, key_id: str, metadata: Metadata) -> None:
        """End a key; one that has ended stays so. Raises `NoSuchKey`."""
        await self._execute(key_id, RevokeApiKey(), metadata)

    async def all(self) -> list[KeyInfo]:
        """Every key that there ever was, the oldest first."""
        uses = await self._uses.all()
        states: dict[str, tuple[KeyState, datetime]] = {}
        async for recorded in self._recorded():
            key_id = recorded.stream.removeprefix(stream_name(API_KEY.category, ""))
            before, created_at = states.get(key_id, (API_KEY.initial, recorded.recorded_at))
            states[key_id] = (API_KEY.evolve(before, self._codec.decode(recorded)), created_at)
        return sorted(
            (
                KeyInfo(
                    key_id=key_id,
                    name=state.owner,
                    scopes=tuple(sorted(state.scopes)),
                    created_at=created_at,
                    expires_at=state.expires_at,
                    is_revoked=state.is_revoked,
                    last_used_at=uses.get(key_id),
                )
                for key_id, (state, created_at) in states.items()
                if isinstance(state, StoredKey)
            ),
            key=lambda key: key.created_at,
        )

    async def stored(self, key_id: str) -> KeyState:
        """A key as the log has it."""
        events = await self._store.read_stream(stream_name(API_KEY.category, key_id))
        return API_KEY.fold(map(self._codec.decode, events))

    async def _recorded(self) -> AsyncIterator[RecordedEvent]:
        """What ever happened to any key, in order."""
        after = 0
        while page := await self._store.read_category(
            API_KEY.category, limit=PAGE_EVENTS, after=after
        ):
            for recorded in page:
                yield recorded
            after = page[-1].position

    async def _valid(self, name: str) -> list[KeyInfo]:
        """The keys of a name that let somebody in, the oldest first."""
        now = self._clock()
        return [
            key
            for key in await self.all()
            if key.name == name
            and not key.is_revoked
            and (key.expires_at is None or now < key.expires_at)
        ]

    async def _make(
        self, name: str, scopes: Sequence[str], expires_at: datetime | None, metadata: Metadata
    ) -> NewKey:
        key = new_api_key(self._environment)
        command = CreateApiKey(name, tuple(scopes), key.digest(self._secret), expires_at)
        await self._execute(key.key_id, command, metadata)
        return NewKey(key.text, key.key_id, name, tuple(scopes), expires_at)

    async def _execute(self, key_id: str, command: KeyCommand, metadata: Metadata) -> None:
        step = Step(API_KEY, key_id, command, customer_id=None)
        await self._executor.execute(step, metadata=metadata)


def check_scopes(scopes: Sequence[str]) -> None:
    """`InvalidInput` unless there are scopes and all are known."""
    if not scopes:
        raise InvalidInput("a key has at least one scope", field="scopes")
    for scope in scopes:
        if scope != EVERYTHING and scope not in SCOPES:
            raise InvalidInput(
                f"there is no scope {scope!r}; there are {', '.join(SCOPES)} and *", field="scopes"
            )
