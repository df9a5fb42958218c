"""A customer's export: lines of JSON, made while they are sent."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from app.eventstore.acts import Acts
from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.errors import NotFound
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.ids import stream_name
from app.modules.customers.events import CustomerExported
from app.modules.interactions.quarantine import QuarantinedEvent, StoredQuarantine
from projections.customers.queries import Customer, Customers
from projections.timeline.queries import Timelines

PAGE_EVENTS = 50
"""Held while one who asked does not read; `app.http.load` counts on how large that may be."""
CATEGORY = "export"
"""Of the streams that say who was given whose data."""

Reveal = Callable[[Sequence[tuple[str | None, Raw]]], Awaitable[Sequence[Raw]]]
"""Decrypts objects (events' data, a customer's traits), each given behind the id of whose it is."""


async def as_it_is(values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
    """A `Reveal` where nothing is encrypted."""
    return [value for _, value in values]


class ProfileLine(Struct, frozen=True):
    """The first line."""

    profile: Customer | None
    """Null: nothing was recorded of the customer, whose events are all in quarantine."""
    visitors: Sequence[str]
    """Ids (``~…``) of the visitors that the customer turned out to be."""


class EventLine(Struct, frozen=True):
    """An event of the customer, or of a visitor that it turned out to be; in the log's order."""

    event: RecordedEvent


class QuarantinedLine(Struct, frozen=True):
    """An event of theirs that does not fit its type; in the order of receipt."""

    quarantined: QuarantinedEvent


class ExportLine(Struct, frozen=True):
    """That somebody was given all this before, and who."""

    export: RecordedEvent


class Complete(Struct, frozen=True):
    """What was exported."""

    events: int
    quarantined: int
    exports: int
    position: int
    """Of the log's end, up to which they are."""


class LastLine(Struct, frozen=True):
    """The last line; an export without it broke off."""

    complete: Complete


_encoder = msgspec.json.Encoder()


class Exports:
    """Makes exports of a store's customers."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        customers: Customers,
        timelines: Timelines,
        quarantine: StoredQuarantine,
        *,
        reveal: Reveal = as_it_is,
    ) -> None:
        """Take the log, where profiles, links and misfits are read, and what decrypts."""
        self._store = store
        self._acts = Acts(store, codec)
        self._customers = customers
        self._timelines = timelines
        self._quarantine = quarantine
        self._reveal = reveal

    async def of(self, customer_id: str, metadata: Metadata) -> AsyncIterator[bytes]:
        """The lines, each with its end; never more than a page of events is held in memory.

        That it was asked for is recorded first. Raises, before there is any line, `NotFound` and
        what `ReadModels.rows` and `EventStore.append` raise.
        """
        head = await self._store.head()
        profile = await self._profile(customer_id, head)
        ids = await self._timelines.ids_of(customer_id, min_position=head)
        # On nobody's timeline: it is no doing of the customer's.
        stream = stream_name(CATEGORY, customer_id)
        await self._acts.record(stream, CustomerExported(customer_id), metadata)
        return self._lines(profile, customer_id, ids, head)

    async def _profile(self, customer_id: str, head: int) -> Customer | None:
        try:
            found = await self._customers.one(customer_id, min_position=head)
        except NotFound:
            if await self._quarantine.of([customer_id], after=0, limit=1):
                return None
            raise
        [traits] = await self._reveal([(customer_id, found.traits)])
        return replace(found, traits=traits)

    async def _lines(
        self, profile: Customer | None, customer_id: str, ids: list[str], head: int
    ) -> AsyncIterator[bytes]:
        visitors = [each for each in ids if each != customer_id]
        yield _line(ProfileLine(profile, visitors))
        events = quarantined = exports = 0
        async for event in self._events(ids, head):
            yield _line(EventLine(event))
            events += 1
        async for misfit in self._misfits(ids):
            yield _line(QuarantinedLine(misfit))
            quarantined += 1
        async for export in self._exports(customer_id, head):
            yield _line(ExportLine(export))
            exports += 1
        yield _line(LastLine(Complete(events, quarantined, exports, head)))

    async def _events(self, ids: list[str], head: int) -> AsyncIterator[RecordedEvent]:
        after = 0
        while after < head and (
            page := await self._store.read_log(after=after, limit=PAGE_EVENTS, customer_ids=ids)
        ):
            shown = await self._reveal([(event.customer_id, event.data) for event in page])
            for event, data in zip(page, shown, strict=True):
                if event.position <= head:
                    yield replace(event, data=data)
            after = page[-1].position

    async def _misfits(self, ids: list[str]) -> AsyncIterator[QuarantinedEvent]:
        after = 0
        while page := await self._quarantine.of(ids, after=after, limit=PAGE_EVENTS):
            shown = await self._reveal([(event.customer_id, event.data) for event in page])
            for event, data in zip(page, shown, strict=True):
                yield replace(event, data=data)
            after = page[-1].number

    async def _exports(self, customer_id: str, head: int) -> AsyncIterator[RecordedEvent]:
        version, stream = 0, stream_name(CATEGORY, customer_id)
        while page := await self._store.read_stream(
            stream, after_version=version, limit=PAGE_EVENTS
        ):
            for event in page:
                if event.position <= head:
                    yield event
            version = page[-1].version


def _line(line: Struct) -> bytes:
    return _encoder.encode(line) + b"\n"
