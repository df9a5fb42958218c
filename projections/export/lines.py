"""A customer's export: lines of JSON, made while they are sent."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from app.eventstore.codec import Codec, encode_metadata
from app.eventstore.port import Append, EventStore, StreamAppend
from app.kernel.event import Metadata, NewEvent, RecordedEvent
from app.kernel.ids import new_event_id, stream_name
from app.modules.customers.events import CustomerExported
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

    profile: Customer


class EventLine(Struct, frozen=True):
    """An event of the customer, or of a visitor that it turned out to be; in the log's order."""

    event: RecordedEvent


class Complete(Struct, frozen=True):
    """What was exported."""

    events: int
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
        reveal: Reveal = as_it_is,
    ) -> None:
        """Take the log, where profiles and links are read, and what decrypts."""
        self._store = store
        self._codec = codec
        self._customers = customers
        self._timelines = timelines
        self._reveal = reveal

    async def of(self, customer_id: str, metadata: Metadata) -> AsyncIterator[bytes]:
        """The lines, each with its end; never more than a page of events is held.

        That it was asked for is recorded first. Raises, before there is any line, `NotFound` and
        what `ReadModels.rows` and `EventStore.append` raise.
        """
        head = await self._store.head()
        profile = await self._customers.one(customer_id, min_position=head)
        ids = await self._timelines.ids_of(customer_id, min_position=head)
        await self._note(customer_id, metadata)
        return self._lines(profile, ids, head)

    async def _lines(self, profile: Customer, ids: list[str], head: int) -> AsyncIterator[bytes]:
        [traits] = await self._reveal([(profile.customer_id, profile.traits)])
        yield _line(ProfileLine(replace(profile, traits=traits)))
        after = events = 0
        while after < head and (page := await self._page(ids, after)):
            for event in page:
                if event.position <= head:
                    yield _line(EventLine(event))
                    events += 1
            after = page[-1].position
        yield _line(LastLine(Complete(events, head)))

    async def _page(self, ids: list[str], after: int) -> list[RecordedEvent]:
        page = await self._store.read_log(after=after, limit=PAGE_EVENTS, customer_ids=ids)
        shown = await self._reveal([(event.customer_id, event.data) for event in page])
        return [replace(event, data=data) for event, data in zip(page, shown, strict=True)]

    async def _note(self, customer_id: str, metadata: Metadata) -> None:
        """On nobody's timeline: it is no doing of the customer's."""
        event = CustomerExported(customer_id)
        recorded = NewEvent(
            event_id=new_event_id(),
            type=event.tag,
            data=self._codec.encode(event),
            metadata=encode_metadata(metadata),
            schema_version=event.schema_version,
        )
        stream = stream_name(CATEGORY, customer_id)
        await self._store.append(Append((StreamAppend(stream, (recorded,)),)))


def _line(line: Struct) -> bytes:
    return _encoder.encode(line) + b"\n"
