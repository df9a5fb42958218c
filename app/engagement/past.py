"""What a backtest reads of customers besides events: who they were, and who was erased.

Of those whom a stretch of the log is about, read as it comes: of all others nothing is known. Who
was read is remembered, encoded, as far as there is room.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from app.engagement.profiles import Known, Profiles, decoded_known, encoded_known
from app.eventstore.codec import Codec
from app.eventstore.database import fetch
from app.eventstore.postgres import PostgresEventStore

MAX_REMEMBERED_BYTES = 128 * 1024 * 1024
"""Of a backtest, as estimated."""
READ_AT_ONCE = 250
"""Customers, by one statement."""

_ENTRY_BYTES = 250
"""That a customer takes besides what is encoded."""
_BURIED = (
    "SELECT erased_at, array_agg(customer_id) FROM tombstones"
    " WHERE erased_at = ANY (%s) GROUP BY erased_at"
)


class Past:
    """Customers at positions of the log that never go back."""

    def __init__(self, store: PostgresEventStore, codec: Codec) -> None:
        """Take where it is read."""
        self._pool = store.pool
        self._profiles = Profiles(store, codec)
        self._encoded: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def known(self, customer_ids: Iterable[str], position: int) -> dict[str, Known]:
        """What was known of each when the log ended at the position. Raises `StoreUnavailable`."""
        found, missing = {}, []
        for customer_id in customer_ids:
            encoded = self._encoded.get(customer_id)
            if encoded is None:
                missing.append(customer_id)
            else:
                self._encoded.move_to_end(customer_id)
                found[customer_id] = decoded_known(customer_id, encoded)
        asked = iter(missing)
        while some := list(islice(asked, READ_AT_ONCE)):
            read = await self._profiles.load(some, position)
            found |= read
            self._remember(read)
        return found

    def change(self, heard: Collection[str], known: Mapping[str, Known]) -> None:
        """The profiles of these have changed since they were read, to what is known now.

        Of whom nothing is known here is read anew when needed.
        """
        for customer_id in heard:
            self._forget(customer_id)
        self._remember({each: known[each] for each in heard if each in known})

    async def erased(self, times: Sequence[datetime]) -> Mapping[datetime, Sequence[str]]:
        """Who was erased at these times: customers, and with them the visitors that they were.

        Raises `StoreUnavailable`.
        """
        return dict(await fetch(self._pool, _BURIED, (list(times),))) if times else {}

    def _remember(self, known: Mapping[str, Known]) -> None:
        for customer_id, each in known.items():
            self._encoded[customer_id] = encoded = encoded_known(each)
            self._bytes += len(encoded) + _ENTRY_BYTES
        while self._bytes > MAX_REMEMBERED_BYTES:
            self._forget(next(iter(self._encoded)))

    def _forget(self, customer_id: str) -> None:
        if (encoded := self._encoded.pop(customer_id, None)) is not None:
            self._bytes -= len(encoded) + _ENTRY_BYTES
