"""The declared types of events, in memory; what other processes declare is seen within a second."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any

import structlog
from msgspec import Meta, Raw, Struct

from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.declared import Reason
from app.kernel.errors import InvalidInput, NotFound, TidingsError
from app.kernel.event import RecordedEvent
from app.kernel.ids import stream_name
from app.modules.event_types.decider import CATEGORY
from app.modules.event_types.events import EventTypeDeclared
from app.modules.event_types.schemas import Schema

LOOK_AGAIN_AFTER = timedelta(seconds=1)
PAGE_EVENTS = 500

_STREAM = stream_name(CATEGORY, "")
_log = structlog.get_logger(__name__)


class EventType(Struct, frozen=True):
    """A declared type of events."""

    type: Annotated[str, Meta(examples=["Order Placed"])]
    version: Annotated[int, Meta(examples=[1])]
    """How often it was declared."""
    schema: Annotated[Any, Meta(examples=[{"required": ["order_id"]}])]
    """A JSON Schema of the data; null: anything fits."""
    title: Annotated[str | None, Meta(examples=["Placed order {order_id}"])]
    kind: Annotated[str | None, Meta(examples=["order"])]
    sensitive: frozenset[str]
    """Names of fields of the data, at any depth."""
    declared_at: datetime


class _Known(Struct, frozen=True):
    """A type, and its schema ready for use."""

    event_type: EventType
    schema: Schema | None


class EventTypes:
    """The declared types of a store; see `DeclaredTypes`."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Nothing is known before the first `refresh`."""
        self._store = store
        self._codec = codec
        self._position = 0
        self._known: dict[str, _Known] = {}
        self._kinds: Mapping[str, str] = {}
        self._refreshing = asyncio.Lock()

    def __len__(self) -> int:
        """How many types are declared."""
        return len(self._known)

    def __contains__(self, event_type: str) -> bool:
        """Whether it is declared."""
        return event_type in self._known

    def all(self) -> list[EventType]:
        """Every type, by name."""
        return [self._known[name].event_type for name in sorted(self._known)]

    def one(self, event_type: str) -> EventType:
        """A type by its name. Raises `NotFound`."""
        if event_type not in self._known:
            raise NotFound(f"there is no declared type {event_type!r}")
        return self._known[event_type].event_type

    def reasons_against(self, event_type: str, data: Raw) -> Sequence[Reason]:
        """See `DeclaredTypes.reasons_against`."""
        known = self._known.get(event_type)
        return () if known is None or known.schema is None else known.schema.reasons_against(data)

    def title_template(self, event_type: str) -> str | None:
        """See `DeclaredTypes.title_template`."""
        known = self._known.get(event_type)
        return None if known is None else known.event_type.title

    def kinds(self) -> Mapping[str, str]:
        """See `DeclaredTypes.kinds`."""
        return self._kinds

    def sensitive_fields(self, event_type: str) -> frozenset[str]:
        """See `DeclaredTypes.sensitive_fields`."""
        known = self._known.get(event_type)
        return frozenset() if known is None else known.event_type.sensitive

    def schema(self, event_type: str) -> Any:
        """The JSON Schema of a type's data; None where none is declared."""
        known = self._known.get(event_type)
        return None if known is None else known.event_type.schema

    async def refresh(self) -> None:
        """Take in what was declared since the last look. Raises `StoreUnavailable`."""
        async with self._refreshing:
            is_more = True
            while is_more:
                page = await self._store.read_category(
                    CATEGORY, limit=PAGE_EVENTS, after=self._position
                )
                for recorded in page:
                    self._take_in(recorded)
                is_more = len(page) == PAGE_EVENTS
            self._kinds = {
                name: known.event_type.kind
                for name, known in self._known.items()
                if known.event_type.kind is not None
            }

    def _take_in(self, recorded: RecordedEvent) -> None:
        name = recorded.stream.removeprefix(_STREAM)
        declared = self._codec.decode(recorded)
        if isinstance(declared, EventTypeDeclared):
            try:
                self._known[name] = _known(name, recorded, declared)
            except InvalidInput as error:  # another version of Tidings has let it pass
                _log.error("schema_unusable", type=name, field=error.field, error=str(error))
        self._position = recorded.position


def _known(name: str, recorded: RecordedEvent, declared: EventTypeDeclared) -> _Known:
    event_type = EventType(
        type=name,
        version=recorded.version,
        schema=declared.schema,
        title=declared.title_template,
        kind=declared.kind,
        sensitive=frozenset(declared.sensitive),
        declared_at=recorded.recorded_at,
    )
    return _Known(event_type, None if declared.schema is None else Schema(declared.schema))


@asynccontextmanager
async def followed_event_types(store: EventStore, codec: Codec) -> AsyncIterator[EventTypes]:
    """The declared types, up to date to about a second for the time of the block.

    Raises `StoreUnavailable` at first; later, what was known stays known until the store is back.
    """
    event_types = EventTypes(store, codec)
    await event_types.refresh()

    async def look_for_ever() -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_AFTER.total_seconds())
            try:
                await event_types.refresh()
            except TidingsError as error:
                _log.warning("event_types_unread", error=str(error))

    looking = asyncio.create_task(look_for_ever())
    try:
        yield event_types
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
