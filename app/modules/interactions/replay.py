"""Quarantined events are looked at again, and recorded when they fit.

It may be killed anywhere and begun anew: an event is recorded under its own id, which the log knows
once, and leaves the quarantine only after that. Events are recorded in the order in which they were
received; no later one is, as long as it is not known what has become of the earlier ones.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.json import Decoder

from app.eventstore.acts import Acts
from app.eventstore.codec import Codec
from app.eventstore.port import Append, Appended, EventStore, StreamAppend
from app.kernel.cipher import View, as_stored
from app.kernel.declared import DeclaredTypes, Reason
from app.kernel.errors import IdempotencyConflict, NotFound, StoreUnavailable
from app.kernel.event import ACTIVITY, Metadata, NewEvent
from app.kernel.ids import stream_name
from app.modules.interactions.events import QuarantinedEventDiscarded, ReplayBegun
from app.modules.interactions.quarantine import QuarantinedEvent, StoredQuarantine
from app.modules.interactions.seal import Seal, unsealed

MAX_REPLAYED_EVENTS = 5_000
PAGE_EVENTS = 200

_CATEGORY = "quarantine"

_metadata_decoder = Decoder(Metadata)


class Replayed(Struct):
    """What became of the events that were looked at."""

    recorded: int = 0
    recorded_before: int = 0
    """Dropped: their ids were recorded meanwhile."""
    kept: int = 0
    """Still quarantined, for they still do not fit."""
    next_cursor: str | None = None
    """Where to go on; null when all were looked at."""


class Replay:
    """What may be done with quarantined events."""

    def __init__(
        self,
        store: EventStore,
        quarantine: StoredQuarantine,
        event_types: DeclaredTypes,
        codec: Codec,
        *,
        view: View = as_stored,
        seal: Seal = unsealed,
    ) -> None:
        """Take the log, the quarantine, what knows the schemas, and what opens and seals fields."""
        self._store = store
        self._acts = Acts(store, codec)
        self._quarantine = quarantine
        self._event_types = event_types
        self._view = view
        self._seal = seal

    async def run(
        self, event_type: str | None, *, after: int, metadata: Metadata
    ) -> tuple[Replayed, int | None]:
        """Look at events after a number, at most 5,000; of a type, if one is given.

        Answers what became of them, and the number after which to go on, if there may be more.
        Raises `StoreUnavailable`; then it is unknown how far it came, and a repeat is safe.
        """
        stream = stream_name(_CATEGORY, "replays")
        await self._acts.record(stream, ReplayBegun(event_type), metadata)
        replayed = Replayed()
        for _ in range(MAX_REPLAYED_EVENTS // PAGE_EVENTS):
            page = await self._quarantine.page(event_type, after=after, limit=PAGE_EVENTS)
            if page:
                await self._replay(page, replayed)
                after = page[-1].number
            if len(page) < PAGE_EVENTS:
                return replayed, None
        return replayed, after

    async def discard(self, event_id: UUID, metadata: Metadata) -> None:
        """Remove an event for good; the log keeps that somebody did. Raises `NotFound`."""
        found = await self._quarantine.find(event_id)
        if found is None:
            raise NotFound(f"there is no quarantined event {event_id}")
        discarded = QuarantinedEventDiscarded(event_id, found.type)
        await self._acts.record(stream_name(_CATEGORY, str(event_id)), discarded, metadata)
        await self._quarantine.remove([found.number])

    async def _replay(self, page: Sequence[QuarantinedEvent], replayed: Replayed) -> None:
        misfits: dict[int, Sequence[Reason]] = {}
        fitting: list[QuarantinedEvent] = []
        opened = await self._view([(event.customer_id, event.data) for event in page])
        for event, data in zip(page, opened, strict=True):
            if reasons := self._event_types.reasons_against(event.type, data):
                misfits[event.number] = reasons
            else:
                fitting.append(event)
        done: list[int] = []
        # What was not sensitive when it came may be so by now.
        appends = await self._seal([_append_of(event) for event in fitting])
        answers = await self._store.append_many(appends)
        for event, answer in zip(fitting, answers, strict=True):
            match answer:
                case Appended(repeated=repeated):
                    replayed.recorded_before += repeated
                    replayed.recorded += not repeated
                case IdempotencyConflict():  # recorded meanwhile, with something else in it
                    replayed.recorded_before += 1
                case StoreUnavailable():
                    raise answer
                case Exception():
                    misfits[event.number] = (Reason("", str(answer)),)
                    continue
            done.append(event.number)
        replayed.kept += len(misfits)
        await self._quarantine.remove(done)
        await self._quarantine.reason_anew(misfits)


def _append_of(event: QuarantinedEvent) -> Append:
    recorded = NewEvent(
        event_id=event.event_id,
        type=event.type,
        data=event.data,
        metadata=event.metadata,
        customer_id=event.customer_id,
        occurred_at=event.occurred_at or event.received_at,
    )
    stream = stream_name(ACTIVITY, event.customer_id)
    mark = _metadata_decoder.decode(event.metadata).fingerprint
    return Append((StreamAppend(stream, (recorded,)),), mark)
