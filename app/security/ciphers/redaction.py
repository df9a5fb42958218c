"""Redaction: what was recorded in plaintext, before it was declared sensitive, is sealed.

So is what is quarantined. What is left of the erased is sealed under keys that nobody keeps.

What rules have copied of it follows, in this order: the log up to its end is sealed; what the
engine remembers is made anew of that, so that it copies no plaintext any more; then what it has
recorded meanwhile is sealed, too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import LiteralString, NamedTuple, Protocol

import msgspec
from msgspec import Raw, Struct

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.database import fetch
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore
from app.kernel.event import Event, EventCatalogue, Metadata, NewEvent
from app.kernel.ids import new_event_id, stream_name
from app.kernel.sensitive import Names, NamesInPaths, SensitiveFields, marked_fields
from app.security.ciphers.data_key import DataKey, a_key_that_nobody_keeps
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.sealing import sealer
from app.security.ciphers.walking import Change, sealed_value, with_fields, with_sealed
from app.security.events import RedactionBegun, RedactionDone

CATEGORY = "redaction"
EVENTS_A_STATEMENT = 500

# As it was recorded: what upcasters make of it is not to be written back.
_READ = """
SELECT position, customer_id, type, data::text, metadata ->> 'actor' FROM events
WHERE position > %s AND position <= %s AND customer_id IS NOT NULL ORDER BY position LIMIT %s
"""
_REDACT = "SELECT redact_events(%s)"
_READ_QUARANTINED = """
SELECT number, customer_id, type, data::text, NULL FROM quarantine
WHERE number > %s AND number <= %s ORDER BY number LIMIT %s
"""
_LAST_QUARANTINED = "SELECT coalesce(max(number), 0) FROM quarantine"
_REDACT_QUARANTINED = """
WITH redacted AS (
    UPDATE quarantine SET data = r.data
    FROM jsonb_to_recordset(%s::jsonb) AS r (position bigint, data jsonb)
    WHERE quarantine.number = r.position
    RETURNING quarantine.number
)
SELECT count(*) FROM redacted
"""

OnRedaction = Callable[[int, int], None]
"""Is given the position that a redaction has come to, and the last one."""

_encoder = msgspec.json.Encoder()


class Copies(Protocol):
    """What is made of customers' events, and may hold what stood in them."""

    async def look(self) -> None:
        """Take in what is recorded by now of who copies what; first of all."""
        ...

    def names(self, actor: str) -> frozenset[str] | None:
        """The names under which copies of sensitive fields stand in what the actor has recorded.

        None: it copies nothing.
        """
        ...

    async def redact_states(self) -> None:
        """See to it that from now on copies are made of what is in the log now."""
        ...


class _Recorded(NamedTuple):
    position: int
    """In the log, or the number in quarantine."""
    customer_id: str
    type: str
    data: str
    actor: str | None


class _Redacted(Struct):
    position: int
    data: Raw


class Redaction:
    """Goes through the whole log, as it is when it begins, and seals what is sensitive by now."""

    def __init__(
        self,
        store: PostgresEventStore,
        keys: DataKeys,
        catalogue: EventCatalogue,
        fields: SensitiveFields,
        copies: Copies,
    ) -> None:
        """Take the log, the keys to seal with, which fields are sensitive, and who copies them."""
        self._store = store
        self._keys = keys
        self._catalogue = catalogue
        self._fields = fields
        self._copies = copies

    async def run(self, metadata: Metadata, on_progress: OnRedaction) -> int:
        """Seal, and answer in how many events; begun again, it finds what is left.

        The log tells of it, before and after. Raises `StoreUnavailable`.
        """
        stream = stream_name(CATEGORY, str(new_event_id()))
        await self._record(stream, RedactionBegun(self._fields.listed), metadata)
        # Before the log's end is looked up: what is replayed meanwhile is in the one or the other.
        [(last,)] = await fetch(self._store.pool, _LAST_QUARANTINED, ())
        await self._copies.look()
        redacted = await self._walk(_READ_QUARANTINED, _REDACT_QUARANTINED, 0, last)
        head = await self._store.head()
        redacted += await self._walk(_READ, _REDACT, 0, head, on_progress)
        await self._copies.redact_states()
        redacted += await self._walk(_READ, _REDACT, head, await self._store.head())
        await self._record(stream, RedactionDone(redacted), metadata)
        return redacted

    async def _walk(
        self,
        read: LiteralString,
        write: LiteralString,
        after: int,
        last: int,
        on_progress: OnRedaction = lambda _position, _last: None,
    ) -> int:
        """Seal what is behind a position, or number, up to the last; in how many events."""
        position, redacted = after, 0
        while rows := await fetch(self._store.pool, read, (position, last, EVENTS_A_STATEMENT)):
            redacted += await self._redact([_Recorded(*row) for row in rows], write)
            position = rows[-1][0]
            on_progress(position, last)
        return redacted

    async def _redact(self, events: Sequence[_Recorded], write: LiteralString) -> int:
        suspects = [event for event in events if self._is_suspect(event)]
        if not suspects:
            return 0
        keys = await self._keys.of_all({event.customer_id for event in suspects})
        changed = [
            _Redacted(event.position, data)
            for event in suspects
            if (data := self._sealed(event, keys)) is not None
        ]
        if not changed:
            return 0
        rows = await fetch(self._store.pool, write, (_encoder.encode(changed).decode(),))
        return int(rows[0][0])

    def _is_suspect(self, event: _Recorded) -> bool:
        of = self._catalogue.types.get(event.type)
        if of is not None:
            return bool(marked_fields(of))
        return self._names(event).may_occur_in(event.data.encode())

    def _names(self, event: _Recorded) -> Names:
        copied = self._copies.names(event.actor or "")
        if copied is None:
            return self._fields.of(event.type)
        return self._fields.of_copies(event.type, copied)

    def _sealed(self, event: _Recorded, keys: Mapping[str, DataKey | None]) -> Raw | None:
        """The event's data with what is sensitive sealed; None where nothing is."""
        # An erased customer has none. What is left of it is sealed for nobody to open.
        key = keys[event.customer_id] or a_key_that_nobody_keeps(event.customer_id)
        before = Raw(event.data.encode())
        of, names = self._catalogue.types.get(event.type), self._names(event)
        seal = _by_last_name(sealer(key)) if isinstance(names, NamesInPaths) else sealer(key)
        after = (
            with_sealed(before, names, seal)
            if of is None
            else with_fields(before, _change_of(of, names, seal))
        )
        return after if msgspec.json.decode(after) != msgspec.json.decode(before) else None

    async def _record(self, stream: str, event: Event, metadata: Metadata) -> None:
        new = NewEvent(
            event_id=new_event_id(),
            type=event.tag,
            data=Codec(self._catalogue).encode(event),
            metadata=encode_metadata(metadata),
        )
        await self._store.append(Append((StreamAppend(stream, (new,)),)))


def _by_last_name(seal: Change) -> Change:
    """What stands at a path is sealed as it is where it was copied from: under its own name."""
    return lambda path, value: seal(path.rpartition(".")[2], value)


def _change_of(of: type[Event], names: Names, seal: Change) -> Change:
    """Of a type of ours, the fields that it marks."""
    marked = dict(marked_fields(of))

    def change(name: str, value: Raw) -> Raw:
        if name not in marked:
            return value
        if not marked[name]:
            return with_sealed(value, names, seal)
        is_done = bytes(value) == b"null" or sealed_value(value)
        return value if is_done else seal(name, value)

    return change
