"""The engine: decides by rules on the log as it grows, and on time as it passes, each thing once.

It is one consumer with one shard, so that totals are decided on in one place, in the log's order;
any number of processes may run it, and one has the work (`app.reactions.alone`). A stretch ends at
a change of rules, which holds for all that comes behind it. What falls due before an event was
recorded is done before it; when nothing comes, the store's clock says what is due, and that is done
as long as the log ends where the engine is: so what is decided follows from the log alone, whenever
it is decided; but for a clock that is set back just then (see `sql/record_engagement.sql`).

What one commit leaves behind is remembered until anybody else has touched the checkpoint.

It begins where the log ended when it ran for the first time. Nothing is decided for customers who
were erased meanwhile.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from time import perf_counter
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from app.engagement.committing import commit
from app.engagement.course import Course, Trouble
from app.engagement.events import Outcome, RuleResumed
from app.engagement.history import RULE_TYPES, book_at, take_in
from app.engagement.keeping import Row, States, due_rows
from app.engagement.passage import Means, Memory, Passage, is_seen, may_trigger
from app.engagement.profiles import PROFILE_TYPES
from app.engagement.rulebook import RuleBook
from app.eventstore.batch import Claim, Span
from app.eventstore.checkpoints import storable
from app.eventstore.database import Connection, rows_of
from app.eventstore.failures import is_mistake, is_transient
from app.eventstore.parking import MAX_PARKED_KEYS, parked_count
from app.eventstore.postgres import recorded_event
from app.eventstore.unknown import Waiting
from app.kernel.errors import named_line
from app.kernel.event import RecordedEvent
from app.kernel.metrics import UNMEASURED, Counter, Histogram
from app.reactions.alone import Alone
from app.reactions.commit import LostRace
from app.reactions.reacting import MAX_RACES
from app.reactions.status import ENGAGEMENT
from app.reactions.timers import LEAST_PAUSE_S, LOOK_EVERY_S

CONSUMER = ENGAGEMENT
MAX_BATCH_EVENTS = 500
MAX_DUE_AT_ONCE = 200
"""Customers for whom something falls due."""

# IS TRUE, or it would be no look-up in a hash, and each event be compared with every type.
BATCH = """
SELECT position, event_id, stream, version, type, schema_version, customer_id, data::text,
    metadata::text, occurred_at, recorded_at
FROM batch
WHERE (type IN (SELECT unnest(%(types)s::text[]))) IS TRUE
ORDER BY position
"""
_HERE = """
SELECT position, xmin::text, (SELECT coalesce(max(events.position), 0) FROM events), clock_now(), (
    SELECT min(due_at) FROM engagement_states
    WHERE key <> ALL (ARRAY(
        SELECT 'customer/' || parked.key FROM parked_keys AS parked
        WHERE parked.consumer = checkpoints.consumer
    ))
)
FROM checkpoints WHERE consumer = %s AND shard = 0
"""
_RECORDED_AT = "SELECT recorded_at FROM events WHERE position = %s"
_PARK = """
INSERT INTO parked_keys (consumer, key, position, error, parked_at)
VALUES (%s, %s, %s, %s, clock_now()) ON CONFLICT DO NOTHING
"""

_log = structlog.get_logger(__name__)


class Measures(NamedTuple):
    """What the engine counts and measures."""

    decisions: Mapping[Outcome, Counter] = dict.fromkeys(Outcome, UNMEASURED)
    evaluation_s: Histogram = UNMEASURED
    """Of a stretch: what rules make of it, without reading and writing."""


class _Mind:
    """What the engine knows at a position."""

    def __init__(self, book: RuleBook, position: int, version: str) -> None:
        self.book = book
        self.position = position
        self.version = version
        """Of the checkpoint's row."""
        self.memory = Memory()
        self.types: list[str] = []
        self.look_at_types()

    def look_at_types(self) -> None:
        """Ask the rules anew what they look at."""
        triggers = filter(may_trigger, self.book.types())
        self.types = sorted({*RULE_TYPES, *PROFILE_TYPES, *triggers})


class _Here(NamedTuple):
    """Where the checkpoint and the log stand."""

    position: int
    version: str
    head: int
    now: datetime
    due_at: datetime | None
    """When the next thing falls due."""


class Engine:
    """A step of the engine, for `app.eventstore.consumer.Consumer`."""

    def __init__(self, claim: Claim, means: Means, measures: Measures | None = None) -> None:
        """Take the checkpoint's claim, and what decisions are carried out with."""
        self._claim = claim
        self._means = means
        self._measures = measures or Measures()
        self._alone = Alone(CONSUMER)
        self._waiting = Waiting(claim.checkpoint)
        self._mind: _Mind | None = None
        self._most_due = MAX_DUE_AT_ONCE
        self._idle_s = LOOK_EVERY_S
        self._done: set[UUID] = set()
        """Events that are recorded already, by their ids."""

    def idle_s(self) -> float:
        """For how long nothing falls due, as far as is known; others' clocks are looked at."""
        return self._idle_s

    async def __call__(self, connection: Connection, max_events: int) -> bool | None:
        """Decide on at most so many events; whether there is more to do. None: others do it."""
        if not await self._alone.holds(connection):
            self._mind = None
            return None
        self._done.clear()
        most = max_events
        for _ in range(MAX_RACES):
            try:
                return await self._step(connection, most)
            except LostRace as lost:
                self._done.update(lost.done)
                most = max(most >> 1, 1)
            except Trouble as trouble:
                most = await self._avoid(connection, trouble, most)
        return True

    async def _step(self, connection: Connection, most: int) -> bool:
        mind = self._mind or await self._awake(connection)
        span, rows = await self._claim.look(
            connection, BATCH, {"types": mind.types}, max_events=most
        )
        if span is None:
            return await self._idle(connection)
        if await self._waiting.is_before(connection, span):
            self._idle_s = LOOK_EVERY_S
            return False
        if not self._is_at(mind, span.after, span.row_version):
            return True
        events = [recorded_event(row) for row in rows]
        await self._decide(connection, mind, span, events, is_alone=most == 1)
        return True  # at the end of the log, the next step tells when something falls due

    async def _awake(self, connection: Connection) -> _Mind:
        here = await self._here(connection)
        book = await book_at(self._means.store, self._means.codec, here.position)
        self._mind = _Mind(book, here.position, here.version)
        return self._mind

    def _is_at(self, mind: _Mind, position: int, version: str) -> bool:
        """Whether what is known is of this position; what others may have changed is forgotten."""
        if mind.position != position:
            self._mind = None
            return False
        if mind.version != version:
            mind.version, mind.memory = version, Memory()
        return True

    async def _decide(
        self,
        connection: Connection,
        mind: _Mind,
        span: Span,
        rows: Sequence[RecordedEvent],
        *,
        is_alone: bool,
    ) -> None:
        """Decide on a stretch, up to a change of the rules, or to more that is due than is read."""
        events, changes = _parted(rows)
        until = changes[-1].recorded_at if changes else await _recorded_at(connection, span.upto)
        due = await due_rows(connection, CONSUMER, until, self._most_due)
        if len(due) == self._most_due or (due and is_alone):
            last = due[-1].due_at or until
            earlier = [row for row in (*events, *changes) if row.recorded_at < last]
            if not earlier:
                here = span._replace(upto=span.after)
                await self._fire(connection, mind, here, due, until=last)
                return
            span, until = span._replace(upto=earlier[-1].position), earlier[-1].recorded_at
            events, changes = _parted(earlier)
        passage = Passage(self._means, mind.book, mind.memory, span.after)
        catalogue = self._means.codec.catalogue
        whose = (row.customer_id for row in events if is_seen(row, catalogue))
        course = await passage.load(connection, filter(None, whose), due)
        began = perf_counter()
        passage.run(events)
        course.until(changes[0].recorded_at if changes else until)
        self._measures.evaluation_s.observe(perf_counter() - began)
        changes = _together(changes, course)
        if changes:
            span = span._replace(upto=changes[-1].position)
        await self._commit(connection, mind, passage, span, changes=changes)

    async def _idle(self, connection: Connection) -> bool:
        """Nothing new is in the log: do what is due by the store's clock."""
        here = await self._here(connection)
        mind = self._mind or await self._awake(connection)
        if here.position < here.head or not self._is_at(mind, here.position, here.version):
            return True
        if here.due_at is None or here.due_at > here.now:
            self._idle_s = _pause_s(here)
            return False
        due = await due_rows(connection, CONSUMER, here.now, self._most_due)
        if not due:
            return True
        is_all = len(due) < self._most_due
        until = here.now if is_all else due[-1].due_at or here.now
        span = Span(here.position, here.position, here.head, None, here.version)
        await self._fire(connection, mind, span, due, until=until, head=here.head)
        return True

    async def _fire(
        self,
        connection: Connection,
        mind: _Mind,
        span: Span,
        due: Sequence[Row],
        *,
        until: datetime,
        head: int | None = None,
    ) -> None:
        """Do what is due, of these customers; the one that fails is found by halves, and parked."""
        try:
            passage = Passage(self._means, mind.book, mind.memory, span.after)
            course = await passage.load(connection, (), due)
            began = perf_counter()
            course.until(until)
            self._measures.evaluation_s.observe(perf_counter() - began)
            await self._commit(connection, mind, passage, span, head=head, until=until)
        except (LostRace, Trouble):
            raise
        except Exception as error:
            if is_transient(error) or is_mistake(error):
                raise
            if len(due) == 1:
                raise Trouble(due[0].customer_id) from error
            self._most_due = len(due) // 2
        else:
            self._most_due = min(2 * self._most_due, MAX_DUE_AT_ONCE)

    async def _commit(
        self,
        connection: Connection,
        mind: _Mind,
        passage: Passage,
        span: Span,
        *,
        changes: Sequence[RecordedEvent] = (),
        head: int | None = None,
        until: datetime | None = None,
    ) -> None:
        states = self._woken(await passage.states(connection), changes)
        request = await passage.request(connection, self._done)
        mind.version = await commit(
            connection,
            self._claim.checkpoint,
            span,
            states,
            request,
            head=head,
            until=until,
        )
        mind.position, self._mind = span.upto, None  # should the rest fail, it is read anew
        passage.remember()
        for change in changes:
            take_in(mind.book, change, self._means.codec)
        if changes:
            mind.look_at_types()
        self._mind = mind
        for _, decision in passage.course.decided:
            self._measures.decisions[decision.made.outcome].inc()

    def _woken(self, states: States, changes: Sequence[RecordedEvent]) -> States:
        """What a rule that was resumed holds back is looked at next."""
        resumed = [change for change in changes if change.type == RuleResumed.tag]
        if not resumed:
            return states
        names = [change.stream.partition("-")[2] for change in resumed]
        return States(states.kept, states.dropped, names, resumed[-1].recorded_at)

    async def _avoid(self, connection: Connection, trouble: Trouble, most: int) -> int:
        """Park the customer, or end the stretch before the event at fault; how many may come."""
        mind = self._mind
        position = mind.position if mind else (await self._here(connection)).position
        if trouble.position is not None and trouble.position > position + 1:
            return trouble.position - 1 - position
        error = trouble.__cause__
        if await parked_count(connection, CONSUMER) >= MAX_PARKED_KEYS:
            raise error or trouble
        message = storable(named_line(error or trouble))
        values = (CONSUMER, trouble.customer_id, position + 1, message)
        await connection.execute(_PARK, values)
        _log.error("key_parked", consumer=CONSUMER, shard=0, position=position + 1, error=message)
        return most

    async def _here(self, connection: Connection) -> _Here:
        [row] = await rows_of(connection, _HERE, (CONSUMER,))
        return _Here(*row)


def _parted(
    rows: Sequence[RecordedEvent],
) -> tuple[Sequence[RecordedEvent], Sequence[RecordedEvent]]:
    """The events before the first change of rules, and the changes from there on."""
    events = list(takewhile(lambda row: row.type not in RULE_TYPES, rows))
    return events, _adjacent(rows[len(events) :])


def _adjacent(rows: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The changes of rules at the beginning, with nothing at all between them."""
    return [
        row
        for number, row in enumerate(rows)
        if row.position == rows[0].position + number
        and all(each.type in RULE_TYPES for each in rows[: number + 1])
    ]


def _together(changes: Sequence[RecordedEvent], course: Course) -> list[RecordedEvent]:
    """Those that may be taken in together, for nothing falls due between them."""
    taken: list[RecordedEvent] = []
    for change in changes:
        if taken and (taken[-1].type == RuleResumed.tag or course.is_due(change.recorded_at)):
            break
        taken.append(change)
    return taken


async def _recorded_at(connection: Connection, position: int) -> datetime:
    ((recorded_at,),) = await rows_of(connection, _RECORDED_AT, (position,))
    moment: datetime = recorded_at
    return moment


def _pause_s(here: _Here) -> float:
    if here.due_at is None:
        return LOOK_EVERY_S
    wait: Any = (here.due_at - here.now) / timedelta(seconds=1)
    return float(max(min(wait, LOOK_EVERY_S), LEAST_PAUSE_S))
