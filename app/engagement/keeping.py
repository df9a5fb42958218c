"""What the engine keeps between stretches of the log: rows of `engagement_states`, and a cache.

The cache holds what this process has committed, encoded: what is decided on is always decoded
anew, so that nothing has to be undone when a commit fails.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct

from app.engagement.course import Trouble
from app.engagement.state import CustomerState, Totals
from app.eventstore.database import Connection, rows_of

MAX_REMEMBERED = 50_000
"""Customers whose states and profiles are held in memory."""
TOTALS = "totals"

_PREFIX = "customer/"
# A parked customer's time stands still.
_DUE = """
SELECT key, state::text, due_at FROM engagement_states
WHERE due_at <= %(until)s AND key <> ALL (ARRAY(
    SELECT 'customer/' || parked.key FROM parked_keys AS parked
    WHERE parked.consumer = %(consumer)s
))
ORDER BY due_at, key LIMIT %(limit)s
"""
_OF = "SELECT key, state::text, due_at FROM engagement_states WHERE key = ANY (%s)"
_BURIED = "SELECT customer_id FROM tombstones WHERE customer_id = ANY (%s)"
_BURIED_AT = "SELECT customer_id FROM tombstones WHERE erased_at = ANY (%s)"

_encoder = msgspec.json.Encoder(order="deterministic")
_states = msgspec.json.Decoder(CustomerState)
_totals = msgspec.json.Decoder(Totals)

V = TypeVar("V")


class Row(NamedTuple):
    """A customer's row."""

    customer_id: str
    state: bytes
    due_at: datetime | None


class Kept(Struct, frozen=True):
    """A row as it is written."""

    key: str
    state: Raw
    due_at: datetime | None = None
    held: Sequence[str] = ()


class States(Struct, frozen=True):
    """What becomes of the rows: see `record_engagement`."""

    kept: Sequence[Kept] = ()
    dropped: Sequence[str] = ()
    woken: Sequence[str] = ()
    woken_at: datetime | None = None

    def encoded(self) -> str | None:
        """For the call that commits; None when all stays as it is."""
        return _encoder.encode(self).decode() if self != States() else None


class Remembered(Generic[V]):
    """What was used last, so much of it."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        """Begin with nothing."""
        self._most = most
        self._values: OrderedDict[str, V] = OrderedDict()

    def get(self, key: str) -> V | None:
        """The value, if it is remembered."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def update(self, values: Mapping[str, V]) -> None:
        """Remember these, and forget others for them."""
        for key, value in values.items():
            self._values[key] = value
            self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)


def key_of(customer_id: str) -> str:
    """Of the customer's row."""
    return f"{_PREFIX}{customer_id}"


def customer_of(key: str) -> str:
    """Of whom a row is that is not the totals'."""
    return key.removeprefix(_PREFIX)


def state_of(customer_id: str, encoded: bytes) -> CustomerState:
    """What a row says; an empty one that there is none. Raises `Trouble`."""
    try:
        return _states.decode(encoded) if encoded else CustomerState()
    except msgspec.DecodeError as error:
        raise Trouble(customer_id) from error


def totals_of(encoded: bytes) -> Totals:
    """The same of the totals."""
    return _totals.decode(encoded) if encoded else Totals()


def encoded_state(state: CustomerState | Totals) -> bytes:
    """For a row; empty when nothing would be lost without."""
    if isinstance(state, CustomerState) and state.is_empty:
        return b""
    return _encoder.encode(state)


async def due_rows(connection: Connection, consumer: str, until: datetime, limit: int) -> list[Row]:
    """Customers for whom something falls due up to a time, those first that are due first."""
    values = {"until": until, "consumer": consumer, "limit": limit}
    return _rows(await rows_of(connection, _DUE, values))


async def rows_of_customers(connection: Connection, customer_ids: Iterable[str]) -> dict[str, Row]:
    """Those of these that have one."""
    keys = [key_of(customer_id) for customer_id in customer_ids]
    if not keys:
        return {}
    return {row.customer_id: row for row in _rows(await rows_of(connection, _OF, (keys,)))}


async def totals_row(connection: Connection) -> bytes:
    """The row of the totals; empty when there is none."""
    rows = await rows_of(connection, _OF, ([TOTALS],))
    return rows[0][1].encode() if rows else b""


async def buried(connection: Connection, customer_ids: Iterable[str]) -> set[str]:
    """Those of these that were erased."""
    rows = await rows_of(connection, _BURIED, (list(customer_ids),))
    return {customer_id for (customer_id,) in rows}


async def buried_at(connection: Connection, moments: Sequence[datetime]) -> set[str]:
    """Who was erased at one of these moments: customers, and the visitors that they were."""
    if not moments:
        return set()
    rows = await rows_of(connection, _BURIED_AT, (list(moments),))
    return {customer_id for (customer_id,) in rows}


def _rows(rows: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [
        Row(customer_of(key), state.encode(), due_at)
        for key, state, due_at in rows
        if key != TOTALS
    ]
