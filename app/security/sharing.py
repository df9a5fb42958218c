"""How the processes that serve one store share each owner's limits, without asking every time.

Once a second each process says how much was asked of it, and learns what was asked of the others:
its share of a limit follows from that. So for a second or two after the load has moved from one
process to another, an owner may get more than its limit, or less.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from uuid import uuid4

import msgspec
import structlog
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch
from app.http.limits import Allowance, Bucket
from app.kernel.errors import StoreUnavailable

SHARED_EVERY_S = 1.0
FORGOTTEN_AFTER_S = 3
"""A process that says nothing for so long has nothing to do, or is gone."""

# One row a process, so no two ever wait for each other's.
_SAY = """
WITH said AS (
    INSERT INTO limit_demands AS mine (process_id, demands, said_at)
    VALUES (%(process_id)s, %(demands)s, clock_timestamp())
    ON CONFLICT (process_id) DO UPDATE SET demands = excluded.demands, said_at = excluded.said_at
)
SELECT demands::text FROM limit_demands
WHERE process_id <> %(process_id)s
    AND said_at > clock_timestamp() - make_interval(secs => %(forgotten_after_s)s)
"""
_FORGET = """
DELETE FROM limit_demands WHERE process_id IN (
    SELECT process_id FROM limit_demands
    WHERE process_id = %s OR said_at < clock_timestamp() - interval '1 minute'
    FOR UPDATE SKIP LOCKED
) RETURNING process_id
"""

Demand = tuple[float, float]
"""Requests and events that an owner asks for, a second."""
Demands = Mapping[str, Demand]

_decoder = msgspec.json.Decoder(dict[str, Demand])
_log = structlog.get_logger(__name__)


class SharedLimits:
    """What each owner may ask of this process (`app.http.limits.Limits`). A limit of 0 is none."""

    def __init__(self, *, requests_per_s: int, events_per_s: int) -> None:
        """Take the limits of each owner, in all processes together."""
        self._limits = (requests_per_s, events_per_s)
        self._allowances: dict[str, Allowance] = {}
        self._looked_at = monotonic()

    def allowance_of(self, owner: str) -> Allowance | None:
        """The owner's; all of its limits, until others turn out to serve it as well."""
        allowance = self._allowances.get(owner)
        if allowance is None and any(self._limits):
            allowance = self._allowances[owner] = Allowance(*self._limits)
        return allowance

    def demands(self) -> Demands:
        """What was asked for since this was called before; of those who asked for anything."""
        now = monotonic()
        elapsed_s, self._looked_at = max(now - self._looked_at, 0.001), now
        found: dict[str, Demand] = {}
        for owner, allowance in list(self._allowances.items()):
            buckets = (allowance.requests, allowance.events)
            if any(bucket and bucket.asked for bucket in buckets):
                requests, events = (_asked(bucket) / elapsed_s for bucket in buckets)
                found[owner] = (requests, events)
            elif all(bucket is None or bucket.is_full(now) for bucket in buckets):
                del self._allowances[owner]  # which a new one, as full, will do for
        return found

    def share(self, mine: Demands, others: Sequence[Demands]) -> None:
        """Take this process's share of each limit."""
        for owner, allowance in self._allowances.items():
            theirs = [demands[owner] for demands in others if owner in demands]
            for number, bucket in enumerate((allowance.requests, allowance.events)):
                if bucket is not None:
                    asked = mine[owner][number] if owner in mine else 0
                    bucket.fill_at(
                        share_of(self._limits[number], asked, [of[number] for of in theirs])
                    )


def share_of(limit: float, mine: float, theirs: Iterable[float]) -> float:
    """How much of a limit is for one who asks for so much, beside others; never nothing.

    As much as everybody asks for, and what is left over in equal parts; where there is not enough,
    by how much each asks for.
    """
    others = list(theirs)
    mine = max(mine, 1)
    asked = mine + sum(others)
    if asked <= limit:
        return mine + (limit - asked) / (1 + len(others))
    return limit * mine / asked


def _asked(bucket: Bucket | None) -> int:
    """How much was asked of a bucket; it begins to count anew."""
    if bucket is None:
        return 0
    asked, bucket.asked = bucket.asked, 0
    return asked


@asynccontextmanager
async def shared_limits(
    limits: SharedLimits, pool: AsyncConnectionPool[Connection]
) -> AsyncIterator[SharedLimits]:
    """The limits, shared with whoever serves the same store for the time of the block.

    While the store is away, each keeps the share that it had.
    """
    process_id = uuid4()

    async def share() -> None:
        if mine := limits.demands():
            values = {
                "process_id": process_id,
                "demands": msgspec.json.encode(mine).decode(),
                "forgotten_after_s": FORGOTTEN_AFTER_S,
            }
            rows = await fetch(pool, _SAY, values)
            limits.share(mine, [_decoder.decode(demands) for (demands,) in rows])

    async def share_for_ever() -> None:
        while True:
            await asyncio.sleep(SHARED_EVERY_S)
            try:
                await share()
            except StoreUnavailable as error:
                _log.warning("limits_not_shared", error=str(error))

    sharing = asyncio.create_task(share_for_ever())
    try:
        yield limits
    finally:
        sharing.cancel()
        with suppress(asyncio.CancelledError):
            await sharing
        with suppress(StoreUnavailable):
            await fetch(pool, _FORGET, (process_id,))
