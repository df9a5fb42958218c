"""The next stretch of the log, and what follows from it."""

from uuid import UUID

from app.eventstore.batch import Claim
from app.eventstore.database import Connection
from app.eventstore.postgres import recorded_event
from app.eventstore.unknown import Waiting
from app.kernel.metrics import Counter
from app.reactions.alone import Alone
from app.reactions.commit import LostRace, Outcome, commit
from app.reactions.decisions import Deciding
from app.reactions.plan import Plan, Policies

MAX_RACES = 10
"""That are lost before others get a turn; with each, half as much is tried."""

# Events that services send have types of their own choice: those are none of ours.
BATCH = """
SELECT position, event_id, stream, version, type, schema_version, customer_id, data::text,
    metadata::text, occurred_at, recorded_at
FROM batch
WHERE type = ANY (%(types)s) AND NOT starts_with(stream, 'activity-')
ORDER BY position
"""
"""What a session's `batch` has of these types, as `recorded_event` takes it."""


class Reacting:
    """A step of the reactor, for `app.eventstore.consumer.Consumer`."""

    def __init__(
        self, claim: Claim, policies: Policies, deciding: Deciding, reactions: Counter
    ) -> None:
        """Take the checkpoint's claim, what is to follow, what decides on it, what counts it."""
        self._reactions = reactions
        self._claim = claim
        self._policies = policies
        self._deciding = deciding
        self._alone = Alone(f"{claim.checkpoint.consumer} {claim.checkpoint.shard}")
        self._waiting = Waiting(claim.checkpoint)

    async def __call__(self, connection: Connection, max_events: int) -> bool | None:
        """React to at most so many events; whether there are more. None: others do."""
        if not await self._alone.holds(connection):
            return None
        done: set[UUID] = set()
        for lost_races in range(MAX_RACES):
            span, rows = await self._claim.look(
                connection,
                BATCH,
                {"types": self._policies.types},
                max_events=max(max_events >> lost_races, 1),
            )
            if span is None or await self._waiting.is_before(connection, span):
                return False
            outcome, plan = Outcome(), Plan()
            if rows:
                plan = self._policies.plan(map(recorded_event, rows))
                outcome = await self._deciding.outcome(plan, done)
            try:
                await commit(connection, outcome, checkpoint=self._claim.checkpoint, span=span)
            except LostRace as lost:
                done.update(lost.done)
            else:
                self._reactions.inc(len(plan.commands) + len(plan.timers))
                return span.upto < span.head
        return True
