"""What people see of messages, and do about those that were given up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from app.delivery.deliveries import (
    MAX_EVENTS_A_MESSAGE,
    STREAMS,
    URGENCY,
    Delivery,
    Messages,
    state_name,
)
from app.eventstore.codec import Codec
from app.eventstore.database import Connection, borrowing
from app.eventstore.execute import Executed, Executor, Step
from app.eventstore.port import EventStore
from app.eventstore.seeing import seen
from app.kernel.cipher import View
from app.kernel.event import Metadata, RecordedEvent
from app.modules.messages.decider import (
    MESSAGE,
    DropMessage,
    MessageCommand,
    NoSuchMessage,
    NoteReceipt,
    RetryMessage,
)
from app.modules.messages.events import Priority
from app.modules.messages.states import Requested

MAX_PAGE_MESSAGES = 1_000

KeptState = Literal["waiting", "sending", "unknown", "dead", "bounced"]

_PRIORITIES = {urgency: priority for priority, urgency in URGENCY.items()}

_KEPT = """
SELECT message_id, customer_id, state, channel, kind, priority, attempts, next_try_at,
    requested_at, changed_at, error
FROM deliveries
WHERE (%(state)s::text IS NULL OR state = %(state)s) AND message_id > %(after)s
ORDER BY message_id LIMIT %(limit)s
"""


class OpenMessage(Struct, frozen=True):
    """A message that somebody has to see to."""

    message_id: Annotated[str, Meta(examples=["order-confirmed:42"])]
    customer_id: str
    state: Annotated[str, Meta(examples=["waiting"])]
    channel: Annotated[str, Meta(examples=["email"])]
    """That it went by last, or goes by next."""
    kind: Annotated[str, Meta(examples=["order-confirmed"])]
    priority: Priority
    attempts: Annotated[int, Meta(examples=[1])]
    next_try_at: datetime | None
    """Null unless it waits."""
    requested_at: datetime
    changed_at: datetime
    error: str | None
    """Why the last attempt that failed did."""


class MessageStatus(Struct, frozen=True):
    """Where a message has come to, and what has happened to it."""

    message_id: Annotated[str, Meta(examples=["order-confirmed:42"])]
    customer_id: str | None
    state: Annotated[str, Meta(examples=["unknown"])]
    channel: Annotated[str, Meta(examples=["email"])]
    """That it went by last, or goes by next."""
    attempts: Annotated[int, Meta(examples=[1])]
    next_try_at: datetime | None
    error: str | None
    """Why the last attempt that failed did."""
    events: Sequence[RecordedEvent]


class Desk:
    """Messages for people to look at and decide about."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        store: EventStore,
        executor: Executor,
        codec: Codec,
    ) -> None:
        """Take where they are, and what carries out what is decided."""
        self._pool = pool
        self._store = store
        self._executor = executor
        self._messages = Messages(store, codec)

    async def kept(
        self, state: KeptState | None = None, *, after: str = "", limit: int
    ) -> list[OpenMessage]:
        """The messages that somebody has to see to, by their ids, behind one of them."""
        values = {"state": state, "after": after, "limit": limit}

        async def work(connection: Connection) -> list[Delivery]:
            async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
                return await (await cursor.execute(_KEPT, values)).fetchall()

        return [_shown(row) for row in await borrowing(self._pool, work)]

    async def status(self, message_id: str, view: View) -> MessageStatus:
        """A message as its stream has it, as the view shows it. Raises `NoSuchMessage`."""
        known = (await self._messages.known([message_id])).get(message_id)
        if known is None or not isinstance(known.message, Requested):
            raise NoSuchMessage
        message, stream = known.message, f"{STREAMS}{message_id}"
        events = await self._store.read_stream(stream, limit=MAX_EVENTS_A_MESSAGE)
        return MessageStatus(
            message_id,
            known.first.customer_id,
            state_name(message.status),
            message.status.channel,
            message.attempts,
            getattr(message.status, "not_before", None),
            message.error,
            await seen(events, view),
        )

    async def step(
        self, message_id: str, command: RetryMessage | DropMessage | NoteReceipt
    ) -> Step[MessageCommand]:
        """The command for the message, on its customer's timeline. Raises `NoSuchMessage`."""
        first = await self._store.read_stream(f"{STREAMS}{message_id}", limit=1)
        if not first:
            raise NoSuchMessage
        return Step(MESSAGE, message_id, command, first[0].customer_id)

    async def act(
        self,
        message_id: str,
        command: RetryMessage | DropMessage | NoteReceipt,
        metadata: Metadata,
    ) -> Executed:
        """Do it. Raises `NoSuchMessage`, and what the decider refuses it with."""
        return await self._executor.execute(await self.step(message_id, command), metadata=metadata)


def _shown(row: Delivery) -> OpenMessage:
    next_try_at = row.next_try_at if row.state == "waiting" else None
    told = asdict(row) | {"priority": _PRIORITIES[row.priority], "next_try_at": next_try_at}
    return OpenMessage(**told)


def place_of(messages: Sequence[OpenMessage], limit: int) -> str | None:
    """Behind which message the next page begins; None: there is none."""
    return messages[-1].message_id if len(messages) == limit else None
