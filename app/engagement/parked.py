"""What the engine has parked, taken up again: by an operator, beside an engine that goes on.

Crash semantics are those of `app.reactions.parked`. The customer's past is decided on by the rules
as they were then, and with totals as they are now.
"""

from uuid import UUID

from app.engagement.committing import record
from app.engagement.course import Course
from app.engagement.engine import CONSUMER
from app.engagement.events import RuleResumed
from app.engagement.history import book_at, changes_between, take_in
from app.engagement.passage import Means, Memory, Passage
from app.engagement.rulebook import RuleBook
from app.eventstore.database import Connection, rows_of
from app.eventstore.postgres import recorded_event
from app.eventstore.unknown import refuse_unknown_in_batch
from app.kernel.errors import Contention
from app.kernel.event import RecordedEvent
from app.reactions.commit import LostRace
from app.reactions.parked import CHANGE_CHECKPOINT, HURRY
from app.reactions.reacting import MAX_RACES

_BATCH = """
SELECT position, event_id, stream, version, type, schema_version, customer_id, data::text,
    metadata::text, occurred_at, recorded_at
FROM batch ORDER BY position
"""
_STRETCH = """
SELECT current_setting('tidings.batch_key'), current_setting('tidings.batch_after')::bigint,
    current_setting('tidings.batch_upto')::bigint,
    (SELECT recorded_at FROM events WHERE position = current_setting('tidings.batch_upto')::bigint)
"""


class Retry:
    """Decides on the relation `batch`, which is one customer's, in the open transaction."""

    def __init__(self, means: Means) -> None:
        """Take what decisions are carried out with."""
        self._means = means

    async def __call__(self, connection: Connection) -> None:
        """Raises `UnknownEvent`, `Trouble`; `Contention` when others change the same streams."""
        await connection.execute(CHANGE_CHECKPOINT, (CONSUMER,))
        await refuse_unknown_in_batch(connection, self._means.codec.catalogue)
        [(key, after, upto, until)] = await rows_of(connection, _STRETCH, ())
        rows = [recorded_event(row) for row in await rows_of(connection, _BATCH, ())]
        book = await book_at(self._means.store, self._means.codec, after)
        passage = Passage(self._means, book, Memory(), after)
        course = await passage.load(connection, [key])
        for change in await changes_between(self._means.store, after, upto):
            passage.run(row for row in rows if row.position < change.position)
            rows = [row for row in rows if row.position > change.position]
            self._take_in(book, course, change)
        passage.run(rows)
        if until is not None:
            course.until(until)
        await self._record(connection, passage)

    def _take_in(self, book: RuleBook, course: Course, change: RecordedEvent) -> None:
        course.until(change.recorded_at)
        take_in(book, change, self._means.codec)
        if change.type == RuleResumed.tag:
            course.wake(change.stream.partition("-")[2], change.recorded_at)

    async def _record(self, connection: Connection, passage: Passage) -> None:
        states = await passage.states(connection)
        done: set[UUID] = set()
        for _ in range(MAX_RACES):
            request = await passage.request(connection, done)
            try:
                async with connection.transaction():  # what is lost is undone, and no more
                    await connection.execute(HURRY)
                    await record(connection, states, request)
            except LostRace as lost:
                done.update(lost.done)
            else:
                return
        raise Contention
