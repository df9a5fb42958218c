"""Erasing a customer: one transaction, of which nothing or everything is done.

The data keys go first, and the log's lock is taken last, in one message together with the commit: a
process or a connection that dies before it leaves everything as it was, and after it, everything
done. Whoever asks again gets the receipt of what was done, which is made from the event alone.
"""

from typing import LiteralString, NamedTuple, Protocol, cast
from uuid import UUID

import psycopg
from psycopg import AsyncClientCursor

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.database import Connection, borrowing, fetch
from app.eventstore.groups import Waiting, encode_group
from app.eventstore.heads import Heads
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore
from app.kernel.errors import Contention, NotFound
from app.kernel.event import Metadata, NewEvent
from app.kernel.ids import check_id, derived_event_id, stream_name
from app.modules.customers.decider import CUSTOMER, Customer, Erase
from app.modules.customers.events import CustomerErased
from app.modules.customers.receipts import Receipt, Receipts

MAX_ATTEMPTS = 20
"""One fails only when an identity was linked or unlinked in the milliseconds that it took."""
PAGE_EVENTS = 1_000
LOCK_TIMEOUT_MS = 10_000

_SOURCE = "tidings"
_QUARANTINED = "SELECT FROM quarantine WHERE customer_id = %s LIMIT 1"
_VISITORS = """
SELECT anonymous_id FROM identities
WHERE identity_id = ANY (%s) AND anonymous_id IS NOT NULL ORDER BY anonymous_id
"""
_LOCK_TIMEOUT: LiteralString = f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"
# One message: between the two, a client that stalls would hold the log's lock.
_ERASE = "SELECT erase_customer(%s::jsonb, %s::text[], %s::uuid[]); COMMIT"


class DataKeys(Protocol):
    """The keys that customers' sensitive fields are encrypted under."""

    async def destroy_in(self, connection: Connection, customer_id: str) -> None:
        """Destroy the key of one, in the open transaction; none is made again."""
        ...


class _Plan(NamedTuple):
    """What is to be destroyed, as long as no identity is linked or unlinked behind this version."""

    customer: Customer
    version: int
    visitors: list[str]

    @property
    def identity_ids(self) -> list[UUID]:
        return list(self.customer.identities)


class Erasures:
    """Erases customers of a store, and visitors (``~…``)."""

    def __init__(
        self, store: PostgresEventStore, codec: Codec, keys: DataKeys, receipts: Receipts
    ) -> None:
        """Take the log, what reads its events, what is destroyed, and what signs for it."""
        self._store = store
        self._codec = codec
        self._keys = keys
        self._receipts = receipts

    async def erase(self, customer_id: str, metadata: Metadata) -> Receipt:
        """Erase the customer, once; the receipt, which is the same each time.

        Raises `InvalidInput`, `NotFound` for an id that nothing came of, `Contention`, or
        `StoreUnavailable`, after which a repeat is safe.
        """
        check_id(customer_id, field="customer_id")
        for _ in range(MAX_ATTEMPTS):
            if receipt := await self._receipt(customer_id):
                return receipt
            plan = await self._plan(customer_id)
            if plan.customer.is_erased:
                continue  # meanwhile, by somebody else
            try:
                await self._carry_out(customer_id, plan, metadata)
            except psycopg.errors.RaiseException:
                continue  # an identity was linked or unlinked meanwhile, or it was erased
        raise Contention

    async def _receipt(self, customer_id: str) -> Receipt | None:
        recorded = await self._store.find(_event_id(customer_id))
        if recorded is None:
            return None
        erased = cast(CustomerErased, self._codec.decode(recorded))  # nothing else has that id
        return self._receipts.of(customer_id, recorded, erased)

    async def _plan(self, customer_id: str) -> _Plan:
        if not await self._is_known(customer_id):
            raise NotFound(f"there is no customer {customer_id!r}")
        customer, version = CUSTOMER.initial, 0
        stream = stream_name(CUSTOMER.category, customer_id)
        while page := await self._store.read_stream(
            stream, after_version=version, limit=PAGE_EVENTS
        ):
            customer = CUSTOMER.fold(map(self._codec.decode, page), customer)
            version = page[-1].version
        rows = await fetch(self._store.pool, _VISITORS, (list(customer.identities),))
        return _Plan(customer, version, [visitor for (visitor,) in rows])

    async def _is_known(self, customer_id: str) -> bool:
        """Whether anything came of it, though it be in quarantine."""
        if await self._store.read_log(after=0, limit=1, customer_ids=[customer_id]):
            return True
        return bool(await fetch(self._store.pool, _QUARANTINED, (customer_id,)))

    async def _carry_out(self, customer_id: str, plan: _Plan, metadata: Metadata) -> None:
        append = self._append_of(customer_id, plan, metadata)
        customer_ids = [customer_id, *plan.visitors]

        async def work(connection: Connection) -> None:
            await connection.execute("BEGIN")  # the pool rolls back what fails
            await connection.execute(_LOCK_TIMEOUT)
            for each in sorted(customer_ids):
                await self._keys.destroy_in(connection, each)
            values = (append, customer_ids, plan.identity_ids)
            await AsyncClientCursor(connection).execute(_ERASE, values)

        await borrowing(self._store.pool, work)

    def _append_of(self, customer_id: str, plan: _Plan, metadata: Metadata) -> str:
        """The event, as `append_events` takes it."""
        [event] = CUSTOMER.decide(Erase(len(plan.visitors)), plan.customer)
        recorded = NewEvent(
            event_id=_event_id(customer_id),
            type=event.tag,
            data=self._codec.encode(event),
            metadata=encode_metadata(metadata),
            schema_version=event.schema_version,
            customer_id=customer_id,
        )
        stream = stream_name(CUSTOMER.category, customer_id)
        # A visitor that was erased with its customer may still be erased by itself: internal.
        append = Append((StreamAppend(stream, (recorded,), plan.version),), internal=True)
        waiting = Waiting(append, answer=None)
        waiting.encode()
        return encode_group([waiting], Heads()).decode()


def _event_id(customer_id: str) -> UUID:
    """A customer is erased once."""
    return derived_event_id(_SOURCE, "erasure", customer_id, 0)
