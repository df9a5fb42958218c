"""The courier, and what people do about its messages."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import msgspec

from app.bootstrap.channels import opened_channels
from app.bootstrap.sealing import begun_data_keys, sensitive_fields_of
from app.bootstrap.store import command_store
from app.catalogue import CODEC, UPCASTERS
from app.delivery.channel import Channel
from app.delivery.courier import Courier
from app.delivery.desk import Desk, OpenMessage
from app.delivery.desk import KeptState as State
from app.delivery.rendering import CannotRender, Render, Rendered, Rendering
from app.delivery.sending import ChannelMeasures
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.http.metrics import Metrics
from app.kernel.cipher import as_stored
from app.kernel.errors import InvalidInput
from app.kernel.event import Metadata
from app.modules.event_types.declared import followed_event_types
from app.modules.messages.decider import DropMessage, RetryMessage
from app.modules.templates.saved import NoSuchTemplate, Templates
from app.security.ciphers.disclosure import Disclosure
from app.security.ciphers.sealing import Sealing
from app.settings import Settings

KeptMessage = OpenMessage
"""What `tidings messages list` shows; the command line knows no tables."""
KeptState = State
MessageAct = Literal["retry", "drop"]


async def run_courier(settings: Settings, database: Database, stop: asyncio.Event) -> None:
    """Send messages until told to stop."""
    async with (
        opened_store(database, poll_interval=settings.poll_interval, upcasters=UPCASTERS) as store,
        followed_event_types(store, CODEC) as declared,
        Wakeups(database, settings.poll_interval) as wakeups,
        opened_channels(settings) as channels,
    ):
        data_keys = await begun_data_keys(settings, store.pool)
        sealing = Sealing(data_keys, sensitive_fields_of(settings, declared))
        courier = Courier(
            database,
            store,
            wakeups,
            Executor(store, CODEC, sealing),
            channels,
            codec=CODEC,
            upcasters=UPCASTERS,
            view=Disclosure(data_keys).opened,
            render=rendering_by(Templates(store, CODEC)),
            measures=_measures(Metrics(), channels),
        )
        await courier.run(stop)


def rendering_by(templates: Templates) -> Render:
    """What puts messages into words as templates say: their newest versions."""

    async def render(rendering: Rendering) -> Rendered:
        language = rendering.traits.get("language")
        try:
            said = await templates.render(
                rendering.template,
                None,
                language if isinstance(language, str) else None,
                rendering.parameters,
                rendering.traits,
            )
        except (NoSuchTemplate, InvalidInput) as error:
            raise CannotRender(str(error)) from None
        return Rendered(said.text, said.subject, said.html)

    return render


async def kept_messages(
    database: Database, state: KeptState | None, limit: int
) -> list[KeptMessage]:
    """The messages that somebody has to see to."""
    async with _opened_desk(database) as desk:
        return await desk.kept(state, limit=limit)


class StatusOfMessage(NamedTuple):
    """Where a message has come to; of each event when, what, by which channel, and an error."""

    message_id: str
    customer_id: str | None
    state: str
    channel: str
    attempts: int
    events: list[tuple[str, str, str, str]]


async def status_of(database: Database, message_id: str) -> StatusOfMessage:
    """Where a message has come to. Raises `NoSuchMessage`."""
    async with _opened_desk(database) as desk:
        found = await desk.status(message_id, as_stored)
    events = []
    for event in found.events:
        data = msgspec.json.decode(event.data)
        at = event.recorded_at.isoformat(timespec="seconds")
        events.append((at, event.type, data.get("channel", ""), data.get("error", "")))
    return StatusOfMessage(
        found.message_id, found.customer_id, found.state, found.channel, found.attempts, events
    )


async def act_on(database: Database, message_id: str, act: MessageAct, metadata: Metadata) -> None:
    """Retry a message, or drop it. Raises what the decider refuses it with."""
    async with _opened_desk(database) as desk:
        await desk.act(message_id, RetryMessage() if act == "retry" else DropMessage(), metadata)


@asynccontextmanager
async def _opened_desk(database: Database) -> AsyncIterator[Desk]:
    """What people see and do of messages, for the time of the block."""
    async with command_store(database, UPCASTERS) as store:
        yield Desk(store.pool, store, Executor(store, CODEC), CODEC)


def _measures(metrics: Metrics, channels: Sequence[Channel]) -> Mapping[str, ChannelMeasures]:
    sent = metrics.counter(
        "tidings_messages_sent_total", "Messages that a channel has taken.", ["channel"]
    )
    failed = metrics.counter(
        "tidings_message_attempts_failed_total",
        "Attempts to send a message that failed, or that nobody knows the outcome of.",
        ["channel"],
    )
    latency = metrics.histogram(
        "tidings_message_latency_seconds",
        "From when a message was requested, or was to be sent, until a channel had taken it.",
        ["channel"],
    )
    return {
        name: ChannelMeasures(sent.labels(name), failed.labels(name), latency.labels(name))
        for name in (channel.name for channel in channels)
    }
