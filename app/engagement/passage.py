"""A passage of the log: whom it is about, what rules make of it, and what is to be kept."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from msgspec import Raw

from app.engagement.carrying import Before, Carrying, category_of
from app.engagement.course import Course
from app.engagement.evaluator import Evaluator
from app.engagement.keeping import (
    TOTALS,
    Kept,
    Remembered,
    Row,
    States,
    buried,
    buried_at,
    encoded_state,
    key_of,
    rows_of_customers,
    state_of,
    totals_of,
    totals_row,
)
from app.engagement.profiles import PROFILE_TYPES, Known, Profiles, evolved, whose
from app.engagement.rulebook import RuleBook
from app.engagement.state import SeenEvent
from app.eventstore.codec import Codec
from app.eventstore.database import Connection, rows_of
from app.eventstore.port import Append, EventStore, StreamAppend
from app.kernel.event import ACTIVITY, EventCatalogue, Metadata, RecordedEvent
from app.modules.customers.events import CustomerErased
from app.reactions.causes import Caused, Note
from app.reactions.decisions import Deciding

_ACTIVITY = f"{ACTIVITY}-"
_NO_TRIGGERS = ("decision.", "rule.", "engagement.", "reaction.")
_BEFORE = "SELECT event_id, metadata::text, recorded_at FROM events WHERE event_id = ANY (%s)"

_data = msgspec.json.Decoder(dict[str, Any])
_metadata = msgspec.json.Decoder(Metadata)


class EventSealing(Protocol):
    """Seals what events carry."""

    async def appends(self, appends: Sequence[Append]) -> Sequence[Append]:
        """The appends with their events' data sealed."""
        ...


class Means(NamedTuple):
    """What decisions are carried out with."""

    store: EventStore
    codec: Codec
    deciding: Deciding
    sealing: EventSealing
    code_of: Callable[[str], str]


class Memory:
    """What was committed, as far as it is remembered."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.states: Remembered[bytes] = Remembered()
        self.profiles: Remembered[Known] = Remembered()
        self.totals: bytes | None = None


class _Row(NamedTuple):
    state: bytes
    due_at: datetime | None


def may_trigger(event_type: str) -> bool:
    """Whether rules may look at events of a type at all."""
    return not event_type.startswith(_NO_TRIGGERS)


def is_seen(recorded: RecordedEvent, catalogue: EventCatalogue) -> bool:
    """Whether an event is for rules: a customer's, and what its type says that it is."""
    is_senders = recorded.stream.startswith(_ACTIVITY)
    return (
        recorded.customer_id is not None
        and is_senders != (recorded.type in catalogue.types)
        and may_trigger(recorded.type)
    )


class Passage:
    """One, by the rules of a book, of customers as they were at a position."""

    course: Course
    """Once it is loaded."""

    def __init__(self, means: Means, book: RuleBook, memory: Memory, position: int) -> None:
        """Begin with nobody."""
        self._means = means
        self._book = book
        self._memory = memory
        self._position = position
        self._loaded: dict[str, _Row] = {}
        self._known: dict[str, Known] = {}
        self._gone: set[str] = set()
        self._erased_at: list[datetime] = []
        self._seen: dict[UUID, RecordedEvent] = {}
        self._totals = b""

    async def load(
        self, connection: Connection, customer_ids: Iterable[str], due: Sequence[Row] = ()
    ) -> Course:
        """Begin, with these customers and those for whom something falls due. Raises `Trouble`."""
        rows = {row.customer_id: row for row in due}
        wanted = {*customer_ids, *rows}
        self._gone = await buried(connection, wanted) if wanted else set()
        wanted -= self._gone
        rows |= await self._rows(connection, wanted - rows.keys())
        await self._know(wanted)
        self.course = Course(
            Evaluator(self._book, self._means.code_of, category_of),
            totals_of(await self._totals_row(connection)),
        )
        self._totals = encoded_state(self.course.totals)
        for customer_id in sorted(wanted):
            self._join(customer_id, rows.get(customer_id))
        return self.course

    def run(self, events: Iterable[RecordedEvent]) -> None:
        """Let events happen, in order. Raises `Trouble`."""
        for recorded in events:
            self.course.until(recorded.recorded_at)
            if recorded.type in PROFILE_TYPES:
                self._take_in(recorded)
            if self._is_looked_at(recorded):
                self._seen[recorded.event_id] = recorded
                self.course.see(seen(recorded))

    async def request(self, connection: Connection, done: Collection[UUID]) -> bytes | None:
        """What is to be recorded of what was decided, but for what is done; see `Deciding`."""
        if not self.course.decided:
            return None
        carrying = Carrying(self._means.code_of)
        before = await self._before(connection)
        commands = [one for each in self.course.decided for one in carrying(each, before)]
        return await self._means.deciding.decide(await self._sealed(commands), done)

    async def states(self, connection: Connection) -> States:
        """What is to be kept from now on."""
        kept, dropped = [], {*self._gone, *await buried_at(connection, self._erased_at)}
        for customer_id, row in self._changed().items():
            if row.state:
                held = self.course.people[customer_id].state.held
                kept.append(Kept(key_of(customer_id), Raw(row.state), row.due_at, held))
            elif self._loaded[customer_id].state:
                dropped.add(customer_id)
        totals = encoded_state(self.course.totals)
        if totals != self._totals:
            kept.append(Kept(TOTALS, Raw(totals)))
        return States(kept, sorted(map(key_of, dropped)))

    def remember(self) -> None:
        """It was committed."""
        people = self.course.people.items()
        self._memory.states.update({name: encoded_state(each.state) for name, each in people})
        self._memory.profiles.update(self._known)
        self._memory.totals = encoded_state(self.course.totals)

    def _is_looked_at(self, recorded: RecordedEvent) -> bool:
        return (
            recorded.customer_id in self.course.people
            and self._book.looks_at(recorded.type)
            and is_seen(recorded, self._means.codec.catalogue)
        )

    async def _rows(self, connection: Connection, wanted: Iterable[str]) -> dict[str, Row]:
        found, missing = {}, []
        for customer_id in wanted:
            if (state := self._memory.states.get(customer_id)) is None:
                missing.append(customer_id)
            else:
                found[customer_id] = Row(customer_id, state, None)
        return found | await rows_of_customers(connection, missing)

    async def _know(self, wanted: Iterable[str]) -> None:
        missing = []
        for customer_id in wanted:
            if (known := self._memory.profiles.get(customer_id)) is None:
                missing.append(customer_id)
            else:
                self._known[customer_id] = known
        if missing:
            profiles = Profiles(self._means.store, self._means.codec)
            self._known |= await profiles.load(missing, self._position)

    async def _totals_row(self, connection: Connection) -> bytes:
        remembered = self._memory.totals
        return await totals_row(connection) if remembered is None else remembered

    def _join(self, customer_id: str, row: Row | None) -> None:
        state = state_of(customer_id, row.state if row else b"")
        due_at = (row.due_at if row else None) or state.due_at
        self._loaded[customer_id] = _Row(encoded_state(state), due_at)
        self.course.join(customer_id, state, self._known[customer_id].profile, due_at)

    def _take_in(self, recorded: RecordedEvent) -> None:
        """Bring a profile up to date, if anybody needs it."""
        customer_id = whose(recorded.stream)
        event = self._means.codec.decode(recorded)
        if isinstance(event, CustomerErased):
            self._erased_at.append(recorded.recorded_at)
        known = self._known.get(customer_id) or self._memory.profiles.get(customer_id)
        if known is None:
            return
        known = self._known[customer_id] = evolved(known, event)
        if (person := self.course.people.get(customer_id)) is not None:
            person.profile = known.profile

    async def _before(self, connection: Connection) -> dict[UUID, Before]:
        causes = {decision.made.cause for _, decision in self.course.decided}
        before = {
            event_id: Before(_metadata.decode(recorded.metadata), recorded.recorded_at)
            for event_id, recorded in self._seen.items()
            if event_id in causes
        }
        if missing := causes - before.keys():
            for event_id, metadata, at in await rows_of(connection, _BEFORE, (list(missing),)):
                before[event_id] = Before(_metadata.decode(metadata), at)
        return before

    async def _sealed(self, commands: list[Caused | Note]) -> list[Caused | Note]:
        notes = {at: note for at, note in enumerate(commands) if isinstance(note, Note)}
        appends = [Append((StreamAppend(note.stream, (note.event,)),)) for note in notes.values()]
        if appends:
            sealed = await self._means.sealing.appends(appends)
            for at, append in zip(notes, sealed, strict=True):
                commands[at] = Note(append.streams[0].stream, append.streams[0].events[0])
        return commands

    def _changed(self) -> Mapping[str, _Row]:
        now = {
            customer_id: _Row(encoded_state(person.state), person.due_at)
            for customer_id, person in self.course.people.items()
        }
        return {name: row for name, row in now.items() if row != self._loaded[name]}


def seen(recorded: RecordedEvent) -> SeenEvent:
    """An event as rules see it; it is a customer's."""
    assert recorded.customer_id is not None  # noqa: S101 - for the type checker: see `is_seen`
    return SeenEvent(
        position=recorded.position,
        event_id=recorded.event_id,
        type=recorded.type,
        customer_id=recorded.customer_id,
        data=_data.decode(recorded.data),
        at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        thing_id=recorded.stream.partition("-")[2],
    )
