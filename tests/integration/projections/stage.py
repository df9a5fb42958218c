"""A store with events on it, and projections run over it by hand or by projectors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from app.catalogue import CATALOGUE
from app.eventstore.acts import Acts
from app.eventstore.batch import Claim
from app.eventstore.checkpoints import positions_of
from app.eventstore.codec import Codec
from app.eventstore.database import Database
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.upcasting import Upcaster
from app.eventstore.wakeups import Wakeups
from app.kernel.event import Event, EventCatalogue, NewEvent
from app.kernel.ids import new_event_id
from app.modules.operations.events import ProjectionAct
from projections.as_of import PastModels, past_pool
from projections.generations import make_first, scratch_generation
from projections.projection import Generation, Projection
from projections.projector import Projector
from projections.reading import QUERY_SETTINGS, ReadModels
from projections.registry import PROJECTIONS
from projections.session import Log

LONG_POLL = timedelta(seconds=5)
DEADLINE_S = 60
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

Happening = tuple[str, NewEvent]
"""A stream and an event for it."""


def sent(
    customer_id: str,
    event_type: str = "Product Added",
    *,
    minutes: float = 0,
    **data: Any,
) -> Happening:
    """An event that a service sent; so many minutes after noon it happened."""
    return f"activity-{customer_id}", NewEvent(
        event_id=new_event_id(),
        type=event_type,
        data=Raw(msgspec.json.encode(data)),
        metadata=Raw(b'{"source":"test"}'),
        customer_id=customer_id,
        occurred_at=NOON + timedelta(minutes=minutes),
    )


def of_customer(customer_id: str, event: Event, *, minutes: float = 0) -> Happening:
    """An event of the customers' module."""
    return of(f"customer-{customer_id}", event, customer_id=customer_id, minutes=minutes)


def of(
    stream: str, event: Event, *, customer_id: str | None = None, minutes: float = 0
) -> Happening:
    """An event of a module; it happened so many minutes after noon."""
    return stream, NewEvent(
        event_id=new_event_id(),
        type=event.tag,
        data=Raw(msgspec.json.encode(event)),
        metadata=Raw(b"{}"),
        schema_version=event.schema_version,
        customer_id=customer_id,
        occurred_at=NOON + timedelta(minutes=minutes),
    )


def of_message(
    message_id: str, event: Event, *, customer_id: str = "ann", minutes: float = 0
) -> Happening:
    """An event of a message to a customer."""
    _, recorded = of_customer(customer_id, event, minutes=minutes)
    return f"message-{message_id}", recorded


def of_ride(customer_id: str, event: Event, *, ride_id: str = "7") -> Happening:
    """An event of a customer's ride."""
    _, made = of_customer(customer_id, event)
    return f"ride-{ride_id}", made


def act(event: ProjectionAct, actor: str = "cli:ann") -> Happening:
    """What somebody who runs the store did to a read model."""
    return event.stream, NewEvent(
        event_id=new_event_id(),
        type=event.tag,
        data=Raw(msgspec.json.encode(event)),
        metadata=Raw(msgspec.json.encode({"actor": actor, "request_id": "r-1"})),
        schema_version=event.schema_version,
    )


@dataclass
class Given:
    """A projection that events have been applied to, in batches of various sizes."""

    stage: "Stage"
    generations: Sequence[Generation[Any]]

    async def then(self, query: str, *rows: tuple[Any, ...]) -> None:
        """The query answers these rows, however the events were cut; it names tables in braces."""
        for generation in self.generations:
            suffix = f"_g{generation.number}"
            tables = {name.removesuffix(suffix): name for name in generation.table_names}
            assert await self.stage.fetch(query.format_map(tables)) == list(rows)


@dataclass
class Stage:
    """A store, and what runs on it."""

    database: Database
    store: PostgresEventStore
    wakeups: Wakeups
    log: Log
    models: ReadModels
    past: PastModels

    @property
    def acts(self) -> Acts:
        """What records acts in the store."""
        return Acts(self.store, Codec(CATALOGUE))

    async def record(self, *happenings: Happening) -> int:
        """Append the events, each alone, in order; the last position."""
        appends = [Append((StreamAppend(stream, (event,)),)) for stream, event in happenings]
        outcomes = await self.store.append_many(appends)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return await self.store.head()

    async def make_first(self, *projections: Projection[Any]) -> None:
        """The first generations."""
        async with await self.log.connect() as connection:
            await make_first(connection, projections or PROJECTIONS)

    async def given(self, projection: Projection[Any], *happenings: Happening) -> Given:
        """Record the events, and apply all that is recorded in batches of one, two and all."""
        await self.record(*happenings)
        generations = []
        for max_batch_events in (1, 2, 1000):
            async with await self.log.connect() as connection:
                generation = await scratch_generation(connection, projection)
            await self.apply(generation, max_batch_events=max_batch_events)
            generations.append(generation)
        return Given(self, generations)

    async def apply(self, generation: Generation[Any], *, max_batch_events: int = 1000) -> None:
        """Bring a generation to the end of the log, in batches."""
        async with await self.log.connect(generation.key) as connection:
            for checkpoint in await positions_of(connection, generation.name):
                claim = Claim(checkpoint, self.log.catalogue, max_batch_events=max_batch_events)
                while span := await generation.apply(claim, connection):
                    if span.upto == span.head:
                        break

    @asynccontextmanager
    async def projecting(
        self, *projections: Projection[Any], log: Log | None = None
    ) -> AsyncIterator[Projector]:
        """A projector that runs for the time of the block."""
        stop = asyncio.Event()
        projector = Projector(log or self.log, self.wakeups, projections or PROJECTIONS)
        task = asyncio.create_task(projector.run(stop))
        try:
            yield projector
        finally:
            stop.set()
            await task

    async def fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        async with await self.database.connect() as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()

    async def position(self, name: str) -> int | None:
        """How far a generation has come."""
        rows = await self.fetch("SELECT min(position) FROM checkpoints WHERE consumer = %s", name)
        position: int | None = rows[0][0]
        return position

    async def caught_up(self, *names: str) -> None:
        """Wait until the generations are there and have come to the end of the log."""
        head = await self.store.head()
        for name in names or [projection.generation(1).name for projection in PROJECTIONS]:

            async def is_there(name: str = name) -> bool:
                position = await self.position(name)
                return position is not None and position >= head

            await until(is_there)

    async def contents(self, generation: Generation[Any]) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table of a generation, by the tables' base names."""
        suffix = f"_g{generation.number}"
        return {
            name.removesuffix(suffix): sorted(await self.fetch(f"SELECT t::text FROM {name} AS t"))
            for name in generation.table_names
        }


@asynccontextmanager
async def opened_stage(
    database: Database,
    *,
    catalogue: EventCatalogue = CATALOGUE,
    upcasters: Sequence[Upcaster] = (),
) -> AsyncIterator[Stage]:
    """A stage for the time of the block."""
    log = Log(database, catalogue, upcasters)
    async with (
        opened_store(database, poll_interval=LONG_POLL, upcasters=upcasters) as store,
        Wakeups(database, LONG_POLL) as wakeups,
        opened_models(database, max_size=4) as models,
        opened_past(log, max_size=2) as past,
    ):
        yield Stage(database, store, wakeups, log, models, past)


@asynccontextmanager
async def opened_models(
    database: Database, *, max_size: int, patience: timedelta = timedelta(seconds=DEADLINE_S)
) -> AsyncIterator[ReadModels]:
    """The read models for the time of the block."""
    async with database.pool(max_size=max_size, settings=QUERY_SETTINGS) as pool:
        yield ReadModels(pool, min_position_timeout=patience)


@asynccontextmanager
async def opened_past(log: Log, *, max_size: int) -> AsyncIterator[PastModels]:
    """What the read models were, for the time of the block."""
    async with past_pool(log.database, max_size=max_size) as pool:
        yield PastModels(log, pool)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)
