"""Execute a command: load and fold its streams, decide, append, and try again after a lost race.

Folded streams are kept in memory. They may be out of date, which does no harm: an append names the
version it was decided on, and a decision against a command is only believed of a stream as it was
after the command had come. Commands of one process for the same stream wait for each other, so only
other processes can win a race against them; and of many that are refused at once, the first reads
the newest events for all that had come by then.
"""

from collections import OrderedDict
from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.port import Append, AppendedEvent, EventStore, StreamAppend
from app.eventstore.reads import SharedReads
from app.eventstore.turns import Turns
from app.kernel.cipher import CommandSealing
from app.kernel.decider import Decider
from app.kernel.errors import (
    Contention,
    Erased,
    IdempotencyConflict,
    Refused,
    WrongExpectedVersion,
)
from app.kernel.event import Event, Metadata, NewEvent, RecordedEvent
from app.kernel.ids import derived_event_id, new_event_id, stream_name

MAX_ATTEMPTS = 30
MAX_CACHED_STREAMS = 20_000
PAGE_EVENTS = 1_000

C = TypeVar("C")


class Step(Struct, Generic[C], frozen=True):
    """One command for one stream; several steps are recorded all or nothing."""

    decider: Decider[C, Any]
    thing_id: str
    command: C
    customer_id: str | None = None
    """Whose timeline the step's events stand on; None: as the decider knows."""

    @property
    def stream(self) -> str:
        """The stream that the command is for."""
        return stream_name(self.decider.category, self.thing_id)


class IdempotencyKey(Struct, frozen=True):
    """What makes a repeat recognisable: whose key it is, and of which request."""

    source: str
    key: str
    fingerprint: str

    def event_id(self, ordinal: int) -> Any:
        """The id of the command's event with this ordinal, from 0."""
        return derived_event_id(self.source, "command", self.key, ordinal)


class Executed(Struct, frozen=True):
    """The answer to a command; stream, version and position are those of its first step."""

    stream: str
    version: int
    position: int
    events: tuple[AppendedEvent, ...]
    repeated: bool = False


class Folded(Struct, frozen=True):
    """A stream's state at a version, and the position of its last event."""

    state: Any
    version: int = 0
    position: int = 0
    known_at: float = -inf
    """The stream was so at this moment, of this process's clock, or at a later one."""


class _Decided(NamedTuple):
    """What was decided on a stream, and the stream's state after it."""

    events: Sequence[Event]
    state: Any


class Executor:
    """Runs commands against an event store."""

    def __init__(
        self, store: EventStore, codec: Codec, sealing: CommandSealing | None = None
    ) -> None:
        """Take the store, the codec of the modules' events, and what seals sensitive fields.

        Deciders are given sealed commands, as their streams hold sealed events: what they compare
        are digests.
        """
        self._sealing = sealing
        self._store = store
        self._reads = SharedReads(store, limit=PAGE_EVENTS)
        self._codec = codec
        self._cache: OrderedDict[str, Folded] = OrderedDict()
        self._turns = Turns()

    async def execute(
        self,
        *steps: Step[Any],
        metadata: Metadata,
        key: IdempotencyKey | None = None,
        expected_version: int | None = None,
    ) -> Executed:
        """Record what the steps' deciders decide.

        `expected_version` is what the caller believes of the first step's stream. Raises `Refused`,
        `WrongExpectedVersion`, `IdempotencyConflict`, `UnstorableValue`, `Contention` or
        `StoreUnavailable`. A repeat under the same key answers with the original outcome, whatever
        the deciders would say today. Two steps for one stream are a `ValueError`: the second would
        be decided without the first.
        """
        began = monotonic()
        streams = sorted(step.stream for step in steps)
        if len(set(streams)) < len(streams):
            raise ValueError(f"two steps are for one stream: {streams}")
        held: list[str] = []
        try:
            for stream in streams:
                if not self._turns.take(stream):
                    await self._turns.wait(stream)
                held.append(stream)
            for attempt in range(MAX_ATTEMPTS):
                try:
                    return await self._attempt(
                        steps, metadata, key, expected_version, began, refresh=attempt > 0
                    )
                except _LostRace:
                    continue
        finally:
            for stream in held:
                self._turns.end(stream)
        raise Contention

    async def read(self, decider: Decider[Any, Any], thing_id: str) -> Folded:
        """A thing as the log has it now; version 0 when nothing ever happened to it."""
        return await self._load(Step(decider, thing_id, None), refresh=True)

    async def _attempt(
        self,
        steps: Sequence[Step[Any]],
        metadata: Metadata,
        key: IdempotencyKey | None,
        expected_version: int | None,
        began: float,
        *,
        refresh: bool,
    ) -> Executed:
        folded = [await self._load(step, refresh=refresh) for step in steps]
        is_fresh = refresh or all(before.known_at > began for before in folded)
        steps = [
            await self._sealed(_known(step, before.state))
            for step, before in zip(steps, folded, strict=True)
        ]
        try:
            decided = _decide(steps, folded, expected_version)
        except (Refused, WrongExpectedVersion):
            if not is_fresh:
                raise _LostRace from None
            if original := await self._original(steps[0].stream, folded[0], key):
                return original
            raise
        if not all(each.events for each in decided) and not is_fresh:
            raise _LostRace  # what is not appended to has no version verified
        if not any(each.events for each in decided):
            original = await self._original(steps[0].stream, folded[0], key)
            return original or Executed(steps[0].stream, folded[0].version, folded[0].position, ())
        append = self._append_of(steps, folded, decided, metadata, key)
        sent_at = monotonic()
        try:
            appended = await self._store.append(append)
        except WrongExpectedVersion:
            raise _LostRace from None
        except Erased:
            if refresh:
                raise
            raise _LostRace from None  # what is remembered of the customer goes, too
        if appended.repeated and (
            original := await self._original(steps[0].stream, folded[0], key)
        ):
            return original
        after = self._keep(steps, folded, decided, appended.events, sent_at)
        return Executed(
            steps[0].stream,
            after.version,
            appended.events[-1].position,
            appended.events,
            appended.repeated,
        )

    async def _load(self, step: Step[Any], *, refresh: bool) -> Folded:
        """The stream folded, from memory when that may do, else with its newest events."""
        stream = step.stream
        cached = self._cache.get(stream)
        if cached is not None and not refresh:
            self._cache.move_to_end(stream)
            return cached
        folded = cached or Folded(step.decider.initial)
        asked_at = monotonic()
        while True:
            page = await self._reads.read(stream, folded.version)
            if page:
                state = step.decider.fold(map(self._codec.decode, page), folded.state)
                folded = Folded(state, page[-1].version, page[-1].position)
            if len(page) < PAGE_EVENTS:
                folded = replace(folded, known_at=asked_at)
                self._remember(stream, folded)
                return folded

    def _append_of(
        self,
        steps: Sequence[Step[Any]],
        folded: Sequence[Folded],
        decided: Sequence[_Decided],
        metadata: Metadata,
        key: IdempotencyKey | None,
    ) -> Append:
        fingerprint = key.fingerprint if key else None
        if fingerprint:
            metadata = replace(metadata, fingerprint=fingerprint)
        encoded = encode_metadata(metadata)
        streams = []
        ordinal = 0
        for step, before, after in zip(steps, folded, decided, strict=True):
            customer_id = step.customer_id or step.decider.customer_of(after.state)
            new_events = []
            for event in after.events:
                new_events.append(
                    NewEvent(
                        event_id=key.event_id(ordinal) if key else new_event_id(),
                        type=event.tag,
                        data=self._codec.encode(event),
                        metadata=encoded,
                        schema_version=event.schema_version,
                        customer_id=customer_id,
                    )
                )
                ordinal += 1
            if new_events:
                streams.append(StreamAppend(step.stream, tuple(new_events), before.version))
        return Append(tuple(streams), fingerprint)

    def _keep(
        self,
        steps: Sequence[Step[Any]],
        folded: Sequence[Folded],
        decided: Sequence[_Decided],
        appended: Sequence[AppendedEvent],
        sent_at: float,
    ) -> Folded:
        """Keep the streams as they are now; answers the first step's."""
        remaining = list(appended)
        after: list[Folded] = []
        for step, before, (events, state) in zip(steps, folded, decided, strict=True):
            here, remaining = remaining[: len(events)], remaining[len(events) :]
            position = here[-1].position if here else before.position
            known_at = sent_at if events else before.known_at
            after.append(Folded(state, before.version + len(events), position, known_at))
            self._remember(step.stream, after[-1])
        return after[0]

    async def _original(
        self, stream: str, folded: Folded, key: IdempotencyKey | None
    ) -> Executed | None:
        """What the key's first request was answered, from the events that it recorded.

        They stand side by side in the log, for they were appended in one call.
        """
        first = await self._store.find(key.event_id(0)) if key else None
        if key is None or first is None:
            return None
        if msgspec.json.decode(first.metadata, type=Metadata).fingerprint != key.fingerprint:
            raise IdempotencyConflict
        events: list[RecordedEvent] = []
        for event in await self._store.read_log(after=first.position - 1, limit=PAGE_EVENTS):
            if event.event_id != key.event_id(len(events)):
                break
            events.append(event)
        version = max((e.version for e in events if e.stream == stream), default=folded.version)
        return Executed(
            stream,
            version,
            events[-1].position,
            tuple(
                AppendedEvent(e.event_id, e.type, e.stream, e.version, e.position) for e in events
            ),
            repeated=True,
        )

    async def _sealed(self, step: Step[Any]) -> Step[Any]:
        if self._sealing is None:
            return step
        command = await self._sealing.command(step.customer_id, step.command)
        return step if command is step.command else replace(step, command=command)

    def _remember(self, stream: str, folded: Folded) -> None:
        self._cache[stream] = folded
        self._cache.move_to_end(stream)
        if len(self._cache) > MAX_CACHED_STREAMS:
            self._cache.popitem(last=False)


def _known(step: Step[Any], state: Any) -> Step[Any]:
    """The step with its customer, as far as the stream's state tells."""
    if step.customer_id is not None:
        return step
    customer_id = step.decider.customer_of(state)
    return step if customer_id is None else replace(step, customer_id=customer_id)


class _LostRace(Exception):
    """What was decided on may be out of date: read the newest events and decide again."""


def _decide(
    steps: Sequence[Step[Any]], folded: Sequence[Folded], expected_version: int | None
) -> list[_Decided]:
    if expected_version is not None and folded[0].version != expected_version:
        raise WrongExpectedVersion(steps[0].stream, expected_version, folded[0].version)
    decided = []
    for step, before in zip(steps, folded, strict=True):
        events = step.decider.decide(step.command, before.state)
        decided.append(_Decided(events, step.decider.fold(events, before.state)))
    return decided
