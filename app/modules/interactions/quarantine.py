"""Events that do not fit the schema of their type: kept whole, until they do or are discarded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, LiteralString, Protocol
from uuid import UUID

from msgspec import Meta, Raw, Struct
from msgspec.json import decode, encode
from psycopg import DataError
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing, fetch, rows_of
from app.eventstore.port import Append, Appended, AppendedEvent
from app.kernel.declared import Reason
from app.kernel.errors import Erased, IdempotencyConflict, UnstorableValue, first_line
from app.kernel.event import NewEvent
from app.kernel.metrics import UNMEASURED, Counter

_OBJECT = {"extra": {"type": "object"}}  # for the API's document

# Erasures wait for those who keep, who wait for erasures: of the erased, nothing comes in behind.
_NO_ERASURE = "SELECT pg_advisory_xact_lock_shared(quarantine_lock_key())"
# In the order in which they came, which their numbers keep. Of a batch that holds an event twice,
# the first is kept.
_KEEP = """
INSERT INTO quarantine (
    event_id, type, customer_id, data, metadata, occurred_at, reasons, received_at
)
SELECT event_id, type, customer_id, data, metadata, occurred_at, reasons, clock_now()
FROM ROWS FROM (jsonb_to_recordset(%s::jsonb) AS (
    event_id uuid, type text, customer_id text, data jsonb, metadata jsonb, occurred_at timestamptz,
    reasons jsonb
)) WITH ORDINALITY AS sent (
    event_id, type, customer_id, data, metadata, occurred_at, reasons, ordinal
)
WHERE NOT EXISTS (SELECT FROM tombstones WHERE tombstones.customer_id = sent.customer_id)
ORDER BY ordinal
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id
"""
_ERASED = "SELECT customer_id FROM tombstones WHERE customer_id = ANY (%s)"
_RECORDED = """
SELECT event_id, type, stream, version, position, metadata ->> 'fingerprint' FROM events
WHERE event_id = ANY (%s)
"""
_KEPT = """
SELECT event_id, reasons::text, metadata ->> 'fingerprint' FROM quarantine WHERE event_id = ANY (%s)
"""
_SELECT: LiteralString = """
SELECT number, event_id, type, customer_id, data::text, metadata::text, occurred_at, received_at,
    reasons::text
FROM quarantine
"""
_OF: LiteralString = (
    _SELECT + "WHERE customer_id = ANY (%s) AND number > %s ORDER BY number LIMIT %s"
)
_PAGE: LiteralString = _SELECT + "WHERE number > %s ORDER BY number LIMIT %s"
_PAGE_OF_TYPE: LiteralString = _SELECT + "WHERE number > %s AND type = %s ORDER BY number LIMIT %s"
_ONE: LiteralString = _SELECT + "WHERE event_id = %s"
_REMOVE = "DELETE FROM quarantine WHERE number = ANY (%s) RETURNING number"
_REASON_ANEW = """
UPDATE quarantine AS kept SET reasons = now.reasons
FROM jsonb_to_recordset(%s::jsonb) AS now (number bigint, reasons jsonb)
WHERE kept.number = now.number AND kept.reasons <> now.reasons
RETURNING kept.number
"""


class Misfit(Exception):
    """All is right with an event, but that it does not fit the schema of its type."""

    def __init__(self, append: Append, reasons: Sequence[Reason]) -> None:
        """Take what would record it; it is one event."""
        super().__init__()
        self.append = append
        self.reasons = tuple(reasons)

    @property
    def event(self) -> NewEvent:
        """The event itself."""
        return self.append.streams[0].events[0]


class Kept(Struct, frozen=True):
    """An event stands in quarantine."""

    event_id: UUID
    reasons: tuple[Reason, ...]
    repeated: bool


class QuarantinedEvent(Struct, frozen=True):
    """An event in quarantine, as it was sent."""

    number: Annotated[int, Meta(examples=[17])]
    """Its place in the order of receipt; numbers may be missing."""
    event_id: UUID
    """Under which it is recorded when it fits."""
    type: Annotated[str, Meta(examples=["Order Placed"])]
    customer_id: Annotated[str, Meta(examples=["anna"])]
    data: Annotated[Raw, Meta(examples=[{"amount": "12.50"}], extra_json_schema=_OBJECT)]
    metadata: Annotated[Raw, Meta(examples=[{"source": "shop"}], extra_json_schema=_OBJECT)]
    occurred_at: datetime | None
    """As sent; null: none was sent."""
    received_at: datetime
    reasons: tuple[Reason, ...]


class Quarantine(Protocol):
    """Keeps events that do not fit."""

    async def keep(self, misfits: Sequence[Misfit]) -> list[Kept | Appended | Exception]:
        """What became of each: kept now or before; or recorded before, when it still fitted.

        `IdempotencyConflict` stands where another event is known under the id, `UnstorableValue`
        where PostgreSQL cannot store it. Raises `StoreUnavailable`, after which it is unknown
        whether they were kept and sending them again is safe.
        """
        ...


class StoredQuarantine:
    """The quarantine of a store, in its table `quarantine`."""

    def __init__(
        self, pool: AsyncConnectionPool[Connection], quarantined: Counter = UNMEASURED
    ) -> None:
        """Take the store's connections, and what counts the events that are kept."""
        self._pool = pool
        self._quarantined = quarantined

    async def keep(self, misfits: Sequence[Misfit]) -> list[Kept | Appended | Exception]:
        """See `Quarantine.keep`."""
        ids = [misfit.event.event_id for misfit in misfits]
        # What is recorded already was good when it came: a repeat gets its original answer.
        recorded: dict[UUID, tuple[Kept | Appended, str | None]] = {
            row[0]: (Appended((AppendedEvent(*row[:5]),), repeated=True), row[5])
            for row in await fetch(self._pool, _RECORDED, (ids,))
        }
        wanted = [misfit for misfit in misfits if misfit.event.event_id not in recorded]
        try:
            fresh, kept, erased = await self._kept(wanted)
        except DataError as error:
            if len(misfits) == 1:
                return [UnstorableValue(first_line(error))]
            # One bad value hurts nobody else.
            return [outcome for misfit in misfits for outcome in await self.keep([misfit])]
        self._quarantined.inc(len(fresh))
        known = {**kept, **recorded}
        return [
            Erased()
            if misfit.event.customer_id in erased and misfit.event.event_id not in known
            else _outcome(misfit, known, fresh)
            for misfit in misfits
        ]

    async def _kept(
        self, misfits: Sequence[Misfit]
    ) -> tuple[set[UUID], dict[UUID, tuple[Kept, str | None]], set[str]]:
        """The ids that were not there before; what is, with its fingerprint; who was erased."""
        if not misfits:
            return set(), {}, set()
        whose = [misfit.event.customer_id for misfit in misfits]
        ids = [misfit.event.event_id for misfit in misfits]
        records = encode([_record(misfit) for misfit in misfits]).decode()

        async def keep(connection: Connection) -> tuple[list[Any], list[Any], list[Any]]:
            async with connection.transaction():
                await connection.execute(_NO_ERASURE)
                fresh = await rows_of(connection, _KEEP, (records,))
            kept = await rows_of(connection, _KEPT, (ids,))
            return fresh, kept, await rows_of(connection, _ERASED, (whose,))

        fresh, rows, erased = await borrowing(self._pool, keep)
        kept = {row[0]: (Kept(row[0], _reasons(row[1]), repeated=True), row[2]) for row in rows}
        return {row[0] for row in fresh}, kept, {row[0] for row in erased}

    async def page(
        self, event_type: str | None, *, after: int, limit: int
    ) -> list[QuarantinedEvent]:
        """Events after a number, in the order of receipt; of a type, if one is given."""
        if event_type is None:
            rows = await fetch(self._pool, _PAGE, (after, limit))
        else:
            rows = await fetch(self._pool, _PAGE_OF_TYPE, (after, event_type, limit))
        return [_quarantined(row) for row in rows]

    async def of(
        self, customer_ids: Sequence[str], *, after: int, limit: int
    ) -> list[QuarantinedEvent]:
        """Events of these ids after a number, in the order of receipt."""
        rows = await fetch(self._pool, _OF, (list(customer_ids), after, limit))
        return [_quarantined(row) for row in rows]

    async def find(self, event_id: UUID) -> QuarantinedEvent | None:
        """The event with this id, if it is here."""
        rows = await fetch(self._pool, _ONE, (event_id,))
        return _quarantined(rows[0]) if rows else None

    async def remove(self, numbers: Sequence[int]) -> None:
        """Forget events; those that are not here any more, too."""
        await fetch(self._pool, _REMOVE, (list(numbers),))

    async def reason_anew(self, reasons: dict[int, Sequence[Reason]]) -> None:
        """Say why events, by number, still do not fit."""
        records = [{"number": number, "reasons": why} for number, why in reasons.items()]
        await fetch(self._pool, _REASON_ANEW, (encode(records).decode(),))


def _outcome(
    misfit: Misfit,
    known: dict[UUID, tuple[Kept | Appended, str | None]],
    fresh: set[UUID],
) -> Kept | Appended | Exception:
    """What became of an event; of several with one id, the first is the one that is new."""
    event_id = misfit.event.event_id
    if event_id in fresh:
        fresh.remove(event_id)
        return Kept(event_id, misfit.reasons, repeated=False)
    if event_id not in known:  # replayed between our two looks, and so it was kept before
        return Kept(event_id, misfit.reasons, repeated=True)
    before, mark = known[event_id]
    return before if mark == misfit.append.fingerprint else IdempotencyConflict()


def _record(misfit: Misfit) -> dict[str, Any]:
    event = misfit.event
    return {
        "event_id": event.event_id,
        "type": event.type,
        "customer_id": event.customer_id,
        "data": event.data,
        "metadata": event.metadata,
        "occurred_at": event.occurred_at,
        "reasons": misfit.reasons,
    }


def _quarantined(row: tuple[Any, ...]) -> QuarantinedEvent:
    number, event_id, event_type, customer_id, data, metadata, occurred_at, received_at, why = row
    return QuarantinedEvent(
        number=number,
        event_id=event_id,
        type=event_type,
        customer_id=customer_id,
        data=Raw(data.encode()),
        metadata=Raw(metadata.encode()),
        occurred_at=occurred_at,
        received_at=received_at,
        reasons=_reasons(why),
    )


def _reasons(text: str) -> tuple[Reason, ...]:
    return decode(text, type=tuple[Reason, ...])
