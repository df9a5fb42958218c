"""Read models are checked: two generations at one position, or one against the log.

Nobody waits for it. Both generations' checkpoints are held while the last few events are applied to
the one that lags, and until a snapshot sees both at one position; the comparison then runs on the
snapshot, while the projectors go on.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from msgspec import Struct

from app.eventstore.batch import ShardKey
from app.eventstore.checkpoints import hold, positions_of
from app.eventstore.database import Connection
from app.eventstore.parking import parked_keys
from app.kernel.errors import Refused, TidingsError
from projections.differences import MAX_NAMED, Chosen, Difference, differences
from projections.dropping import drop, drop_leftovers
from projections.filling import JOBS, Filling, OnProgress, Throttle, only_work_on
from projections.generations import (
    SCRATCH,
    GenerationRow,
    pointed_to,
    scratch_generation,
)
from projections.levelling import Levelling
from projections.projection import Generation, Projection
from projections.session import Log

SAMPLE_CUSTOMERS = 20


class GenerationsDiffer(TidingsError):
    """Two generations of a read model differ at one position."""


class Comparison(Struct, frozen=True):
    """What was compared, and what differs."""

    generation: str
    """Such as ``timeline_g3``."""
    compared_with: str
    position: int
    differences: Sequence[Difference]
    left_out: int = 0
    """Customers that were not compared, for events of theirs are parked."""

    def check(self) -> None:
        """Raise `GenerationsDiffer` where something differs, naming whom."""
        if self.differences:
            raise GenerationsDiffer(self.summary)

    @property
    def summary(self) -> str:
        """What differs, by how many, and who the first of them are."""
        tables = ", ".join(f"{each.table} ({each.count:,})" for each in self.differences)
        named = sorted({name for each in self.differences for name in each.named})[:MAX_NAMED]
        return (
            f"{self.generation} differs from {self.compared_with} at position {self.position}"
            f" in {tables}: {', '.join(named)}"
        )


OnDifferences = Callable[[Comparison], None]


async def compare(log: Log, one: Generation[Any], other: Generation[Any]) -> Comparison:
    """Compare two generations of one definition, row for row, at the position of the foremost.

    Whoever has parked events in either is left out. Raises `UnknownEvent`, `StoreUnavailable`, or a
    `psycopg.Error`.
    """
    async with _levelled(log, one, other) as level:
        left_out = await _customers_of(level, one.key)
        found = await differences(level.snapshot, one, other, Chosen(left_out=left_out))
    return Comparison(one.name, other.name, level.position, found, len(left_out))


async def compare_sample(log: Log, generation: Generation[Any]) -> Comparison:
    """Compare some customers' rows with what the events of each make alone, in one batch.

    Of a projection that keeps its order by the customer; of another nothing is compared. Nobody
    else moves the generation meanwhile, whose shards stand at one position.
    """
    async with await log.connect(generation.key) as connection:
        position = min((await positions_of(connection, generation.name)).values())
        if generation.key is not ShardKey.CUSTOMER:
            return Comparison(generation.name, "", position, ())
        sample = await _sample(connection, generation, position)
        async with _scratch(connection, generation.projection) as scratch:
            await _apply_each_alone(connection, scratch, sample, position)
            chosen = Chosen(only=sample)
            found = await differences(connection, generation, scratch, chosen)
    return Comparison(generation.name, "a sample made again", position, found)


async def verify(
    log: Log,
    projection: Projection[Any],
    *,
    on_progress: OnProgress = lambda _: None,
    jobs: int = JOBS,
) -> Comparison:
    """Make a read model again from the log, beside the one that queries read, and compare the two.

    Nothing stays of it. Raises `RebuildRunning`, `Refused` when the read model is not built yet,
    and what `compare` raises.
    """
    async with await log.connect(projection.shard_key) as connection:
        await only_work_on(connection, projection)
        await drop_leftovers(connection, projection)
        live = await pointed_to(connection, projection)
        if live is None:
            raise Refused(f"{projection.name} is not built yet: there is nothing to verify")
        async with _scratch(connection, projection, shards=jobs) as scratch:
            filling = Filling(connection, scratch, log, on_progress, Throttle())
            await filling.apply_to_the_end("loading")
            await filling.begin("verifying")
            return await compare(log, live, scratch)


class _Level(NamedTuple):
    """Generations at one position."""

    snapshot: Connection
    """Sees them there, whatever happens meanwhile."""
    position: int
    parked: Sequence[str]
    """The keys that any of them has parked."""


@asynccontextmanager
async def _levelled(log: Log, *generations: Generation[Any]) -> AsyncIterator[_Level]:
    """Bring the generations to one position, and look at them there.

    What was applied has to be committed before the snapshot can see it, and nobody may go on in
    between: one transaction holds the checkpoints, another one moves them, the third is the
    snapshot.
    """
    key = generations[0].key
    names = [generation.name for generation in generations]
    async with await log.connect(key) as working, await log.connect(key) as snapshot:
        levelling = Levelling(working, generations, log)
        await levelling.come_near()
        await snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        async with await log.connect(key) as holding, holding.transaction():
            held = await hold(holding, names)
            async with working.transaction():
                position = await levelling.level(held)
            # The first query of the transaction is what the snapshot is taken by.
            parked = {found.key for found in await parked_keys(snapshot, names)}
        await snapshot.execute("SET LOCAL enable_seqscan = on")
        yield _Level(snapshot, position, sorted(parked))


_CUSTOMERS_OF = """
SELECT DISTINCT customer_id FROM events
WHERE {key} = ANY (%s) AND position <= %s AND customer_id IS NOT NULL
"""


async def _customers_of(level: _Level, key: ShardKey) -> Sequence[str]:
    """Whose events the parked keys are."""
    if key is ShardKey.CUSTOMER or not level.parked:
        return level.parked
    text = _CUSTOMERS_OF.format(key=key.value).encode()
    cursor = await level.snapshot.execute(text, (list(level.parked), level.position))
    return [customer_id for (customer_id,) in await cursor.fetchall()]


@asynccontextmanager
async def _scratch(
    connection: Connection, projection: Projection[Any], *, shards: int = 1
) -> AsyncIterator[Generation[Any]]:
    """A generation for the time of the block; one that is left behind is dropped by the next."""
    scratch = await scratch_generation(connection, projection, shards=shards)
    try:
        yield scratch
    finally:
        if not connection.closed:
            row = GenerationRow(projection.name, scratch.number, projection.version, SCRATCH)
            await drop(connection, row)


# Not the first ones, who may be alike, nor others each time, for a failure should come again.
_SAMPLE = """
SELECT customer_id FROM (
    SELECT DISTINCT customer_id FROM events WHERE customer_id IS NOT NULL AND position <= %s
) AS known
WHERE customer_id NOT IN (SELECT key FROM parked_keys WHERE consumer = %s)
ORDER BY md5(customer_id) LIMIT %s
"""
# The customers' events are sought once, and then given out as `batch`, one customer's at a time.
_UP_TO = "SELECT set_config('tidings.batch_upto', %s::text, true)"
_MAKE_SAMPLED = "CREATE TEMPORARY TABLE sampled (LIKE batch)"
_FILL_SAMPLED = "INSERT INTO sampled SELECT * FROM batch WHERE customer_id = ANY (%s)"
_GIVE_OUT_SAMPLED = """
CREATE OR REPLACE TEMPORARY VIEW batch AS
SELECT * FROM sampled WHERE key = current_setting('tidings.batch_key')
"""
_ONE_KEY = "SELECT set_config('tidings.batch_key', %s, true)"


async def _sample(
    connection: Connection, generation: Generation[Any], position: int
) -> Sequence[str]:
    values = (position, generation.name, SAMPLE_CUSTOMERS)
    cursor = await connection.execute(_SAMPLE, values)
    return [customer_id for (customer_id,) in await cursor.fetchall()]


async def _apply_each_alone(
    connection: Connection, scratch: Generation[Any], sample: Sequence[str], position: int
) -> None:
    """Apply the events of each customer in a batch of their own; the session is spent then."""
    async with connection.transaction():
        await connection.execute(_UP_TO, (position,))
        await connection.execute(_MAKE_SAMPLED)
        await connection.execute(_FILL_SAMPLED, (list(sample),))
        await connection.execute(_GIVE_OUT_SAMPLED)
    for customer_id in sample:
        async with connection.transaction():
            await connection.execute(_ONE_KEY, (customer_id,))
            await scratch.work(connection)
