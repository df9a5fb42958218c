"""What the reactor has parked, taken up again: by an operator, beside reactors that go on.

Crash semantics: what follows from a stretch of a key's events is recorded in the transaction that
leaves the stretch behind, or not at all. A reactor that has looked at the log meanwhile, and left
the key out, finds its checkpoint changed, and looks again.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.eventstore.batch import ShardKey, Work, open_session
from app.eventstore.database import Connection, Database, rows_of
from app.eventstore.parking import Tell, take_up
from app.eventstore.postgres import recorded_event
from app.eventstore.unknown import refuse_unknown_in_batch
from app.eventstore.upcasting import Upcaster
from app.kernel.errors import Contention
from app.kernel.event import EventCatalogue
from app.reactions.commit import LostRace, record
from app.reactions.decisions import Deciding
from app.reactions.plan import Policies
from app.reactions.reacting import BATCH, MAX_RACES
from app.reactions.reactor import CONSUMER

MAX_POSITIONS_AT_ONCE = 10_000
"""In one transaction, for the reactor's commits wait for its end."""

LOCKED_FOR_MS = 1_000

# Nobody may append until this transaction ends, which is up to us, and not, as with all other
# appends, to the server: one that we leave open has to end soon. It is an operator's act, and rare.
HURRY = f"SET LOCAL idle_in_transaction_session_timeout = {LOCKED_FOR_MS}"

# Which a reactor that has the former row in hand sees (`Span.row_version`).
CHANGE_CHECKPOINT = """
UPDATE checkpoints SET moved_at = moved_at
WHERE consumer = %s AND shard = shard_of(current_setting('tidings.batch_key'), shards)
"""


class Retry:
    """Lets follow what policies say from the relation `batch`, in the open transaction."""

    def __init__(self, policies: Policies, deciding: Deciding, catalogue: EventCatalogue) -> None:
        """Take what is to follow, what decides on it, and which events are known."""
        self._catalogue = catalogue
        self._policies = policies
        self._deciding = deciding

    async def __call__(self, connection: Connection) -> None:
        """Raises `UnknownEvent`; `Contention` when others change the same streams all the time."""
        await connection.execute(CHANGE_CHECKPOINT, (CONSUMER,))
        # Newer code may want something to follow from what this code does not know.
        await refuse_unknown_in_batch(connection, self._catalogue)
        rows = await rows_of(connection, BATCH, {"types": self._policies.types})
        plan = self._policies.plan(map(recorded_event, rows))
        done: set[UUID] = set()
        for _ in range(MAX_RACES):
            outcome = await self._deciding.outcome(plan, done)
            try:
                async with connection.transaction():  # what is lost is undone, and no more
                    await connection.execute(HURRY)
                    await record(connection, outcome)
            except LostRace as lost:
                done.update(lost.done)
            else:
                return
        raise Contention


async def resume_parked(
    database: Database,
    works: Mapping[str, Work],
    upcasters: Sequence[Upcaster],
    *,
    tell: Tell,
    key: str | None = None,
    skip: bool = False,
) -> None:
    """React to what consumers left out of a key, or of all, each with the work that does so.

    See `app.eventstore.parking.take_up`.
    """
    async with await open_session(
        database, upcasters, key=ShardKey.CUSTOMER, application_name="tidings reactions"
    ) as connection:
        await take_up(
            connection,
            works,
            "the reactor",
            tell=tell,
            key=key,
            skip=skip,
            at_once=MAX_POSITIONS_AT_ONCE,
        )
