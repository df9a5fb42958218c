"""Redaction: what was recorded in plaintext, before it was declared sensitive, is sealed.

So is what is quarantined. What is left of the erased is sealed under keys that nobody keeps.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import LiteralString, NamedTuple

import msgspec
from msgspec import Raw, Struct

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.database import fetch
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore
from app.kernel.event import Event, EventCatalogue, Metadata, NewEvent
from app.kernel.ids import new_event_id, stream_name
from app.kernel.sensitive import SensitiveFields, marked_fields
from app.security.ciphers.data_key import DataKey, a_key_that_nobody_keeps
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.sealing import sealer
from app.security.ciphers.walking import Change, sealed_value, with_fields, with_sealed
from app.security.events import RedactionBegun, RedactionDone

CATEGORY = "redaction"
EVENTS_A_STATEMENT = 500

# As it was recorded: what upcasters make of it is not to be written back.
_READ = """
SELECT position, customer_id, type, data::text FROM events
WHERE position > %s AND position <= %s AND customer_id IS NOT NULL ORDER BY position LIMIT %s
"""
_REDACT = "SELECT redact_events(%s)"
_READ_QUARANTINED = """
SELECT number, customer_id, type, data::text FROM quarantine
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


class _Recorded(NamedTuple):
    position: int
    """In the log, or the number in quarantine."""
    customer_id: str
    type: str
    data: str


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
    ) -> None:
        """Take the log, the keys to seal with, and which fields are sensitive."""
        self._store = store
        self._keys = keys
        self._catalogue = catalogue
        self._fields = fields

    async def run(self, metadata: Metadata, on_progress: OnRedaction) -> int:
        """Seal, and answer in how many events; begun again, it finds what is left.

        The log tells of it, before and after. Raises `StoreUnavailable`.
        """
        stream = stream_name(CATEGORY, str(new_event_id()))
        await self._record(stream, RedactionBegun(self._fields.listed), metadata)
        # Before the log's end is looked up: what is replayed meanwhile is in the one or the other.
        [(last,)] = await fetch(self._store.pool, _LAST_QUARANTINED, ())
        redacted = await self._walk(_READ_QUARANTINED, _REDACT_QUARANTINED, last)
        redacted += await self._walk(_READ, _REDACT, await self._store.head(), on_progress)
        await self._record(stream, RedactionDone(redacted), metadata)
        return redacted

    async def _walk(
        self,
        read: LiteralString,
        write: LiteralString,
        last: int,
        on_progress: OnRedaction = lambda _position, _last: None,
    ) -> int:
        """Seal up to the last position, or number; in how many events."""
        position = redacted = 0
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
        return self._fields.of(event.type).may_occur_in(event.data.encode())

    def _sealed(self, event: _Recorded, keys: Mapping[str, DataKey | None]) -> Raw | None:
        """The event's data with what is sensitive sealed; None where nothing is."""
        # An erased customer has none. What is left of it is sealed for nobody to open.
        key = keys[event.customer_id] or a_key_that_nobody_keeps(event.customer_id)
        before = Raw(event.data.encode())
        of, seal = self._catalogue.types.get(event.type), sealer(key)
        after = (
            with_sealed(before, self._fields.of(event.type), seal)
            if of is None
            else with_fields(before, self._change_of(of, seal))
        )
        return after if msgspec.json.decode(after) != msgspec.json.decode(before) else None

    def _change_of(self, of: type[Event], seal: Change) -> Change:
        """Of a type of ours, the fields that it marks."""
        marked = dict(marked_fields(of))

        def change(name: str, value: Raw) -> Raw:
            if name not in marked:
                return value
            if not marked[name]:
                return with_sealed(value, self._fields.everywhere, seal)
            is_done = bytes(value) == b"null" or sealed_value(value)
            return value if is_done else seal(name, value)

        return change

    async def _record(self, stream: str, event: Event, metadata: Metadata) -> None:
        new = NewEvent(
            event_id=new_event_id(),
            type=event.tag,
            data=Codec(self._catalogue).encode(event),
            metadata=encode_metadata(metadata),
        )
        await self._store.append(Append((StreamAppend(stream, (new,)),)))
