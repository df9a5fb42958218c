"""Messages over HTTP: requested by services, read by the customers that they are for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.eventstore.port import EventStore
from app.http.fields import Word
from app.kernel.clock import in_utc
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.modules.messages.decider import MESSAGE, MarkRead, NoSuchMessage, RequestMessage
from app.modules.messages.events import INBOX, Priority
from app.security.commands import Commands, command

MAX_KIND_CHARACTERS = 64
MAX_TEXT_CHARACTERS = 4_000

MAX_CHANNELS = 5
MAX_PARAMETERS = 100

_TAGS = ["Messages"]
# In Python, $ alone would let a final line feed through.
_NAME = rf"^[a-z0-9][a-z0-9_-]{{0,{MAX_KIND_CHARACTERS - 1}}}$(?!\n)"


class MessageRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer is to be told."""

    customer_id: Annotated[str, Meta(description="Who is to be told.", examples=["anna"])]
    kind: Annotated[
        str,
        Meta(
            pattern=_NAME,
            description="What it is about, in your words.",
            examples=["order-confirmed"],
        ),
    ]
    text: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)] | None,
        Meta(
            description="The words, which are stored sealed; or give a template.",
            examples=["Your order 42 is on its way."],
        ),
    ] = None
    priority: Annotated[Priority, Meta(description="How urgent it is.", examples=["normal"])] = (
        Priority.NORMAL
    )
    template: Annotated[
        Word | None, Meta(description="The template that has the words.", examples=[None])
    ] = None
    parameters: Annotated[
        Mapping[str, Any],
        Meta(max_length=MAX_PARAMETERS, description="What the template may name.", examples=[{}]),
    ] = msgspec.field(default_factory=dict)
    channels: Annotated[
        tuple[Word, ...],
        Meta(
            min_length=1,
            max_length=MAX_CHANNELS,
            description="By which it is sent: by the first of them that works.",
            examples=[["email", "inbox"]],
        ),
    ] = (INBOX,)
    not_before: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it is sent at the earliest.", examples=[None]),
    ] = None

    def check(self) -> None:
        """Raise `InvalidInput` for what does not go together."""
        if (self.text is None) == (self.template is None):
            raise InvalidInput("give either a text or a template", field="text")
        if self.parameters and self.template is None:
            raise InvalidInput("only a template has parameters", field="parameters")
        if len(set(self.channels)) < len(self.channels):
            raise InvalidInput("each channel is named once", field="channels")
        if self.not_before is not None:
            in_utc(self.not_before, field="not_before")


def message_routes(commands: Commands, store: EventStore) -> list[HTTPRouteHandler]:
    """The routes of the commands to a message; the store tells whose a message is."""

    @command(
        "/v1/messages/{message_id:str}/request",
        scope="messages:write",
        summary="Request a message to a customer",
        tags=_TAGS,
    )
    async def request_message(
        request: Request[Any, Any, Any], message_id: FromPath[str], data: JSONBody[MessageRequest]
    ) -> ASGIApp:
        """It is sent by the first of the channels that works: by default, shown in the customer's
        inbox. The id is yours, and stands for this one message: what is requested under it again,
        whatever it says, is nothing to do.
        """
        check_id(message_id, field="message_id")
        check_customer_id(data.customer_id)
        data.check()
        told = RequestMessage(
            data.kind,
            data.text,
            data.priority,
            data.template,
            data.parameters,
            data.channels,
            data.not_before,
        )
        return await commands.run(request, Step(MESSAGE, message_id, told, data.customer_id))

    @command(
        "/v1/customers/{customer_id:str}/inbox/{message_id:str}/read",
        scope="messages:write",
        own="customer_id",
        summary="Mark a message as read",
        tags=_TAGS,
    )
    async def mark_message_read(
        request: Request[Any, Any, Any], customer_id: FromPath[str], message_id: FromPath[str]
    ) -> ASGIApp:
        """The customer has seen it. The customer's own token may say so, too.

        Once is enough: a message that was read stays read. One of another customer is not found.
        """
        check_id(customer_id, field="customer_id")
        step = Step(MESSAGE, check_id(message_id, field="message_id"), MarkRead(), customer_id)
        first = await store.read_stream(step.stream, limit=1)
        if not first or first[0].customer_id != customer_id:
            raise NoSuchMessage
        return await commands.run(request, step)

    return [request_message, mark_message_read]
