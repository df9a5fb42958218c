"""Messages to be seen to, and what channels' providers say of them, over HTTP."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Request, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ASGIApp
from msgspec import Meta, Struct
from standardwebhooks import Webhook, WebhookVerificationError

from app.delivery.desk import (
    MAX_PAGE_MESSAGES,
    Desk,
    KeptState,
    MessageStatus,
    OpenMessage,
    place_of,
)
from app.http.access import PUBLIC, Unauthenticated, principal_of, requires
from app.http.context import context_of
from app.http.fields import Nothing
from app.kernel.cipher import Discloses
from app.kernel.cursors import Cursors
from app.kernel.errors import Erased, InvalidInput
from app.kernel.event import Metadata
from app.kernel.ids import check_id
from app.modules.messages.decider import (
    DropMessage,
    NoSuchMessage,
    NoteReceipt,
    NotSentSo,
    ReceiptStatus,
    RetryMessage,
)
from app.security.commands import Commands, command

MAX_RECEIPTS = 1_000
MAX_RECEIPTS_BYTES = 256 * 1024
AT_ONCE = 50

_TAGS = ["Messages"]
_SIGNED = {**PUBLIC, "signed": True}
"""The option of a route that takes no credential but a signature."""

Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_PAGE_MESSAGES, description="How many messages at the most.")
]
State = Annotated[
    KeptState | None, QueryParameter(name="state", description="Only messages in this state.")
]


class MessagePage(Struct, frozen=True):
    """Some messages, and where to go on."""

    items: Sequence[OpenMessage]
    next_cursor: str | None


class SentReceipt(Struct, frozen=True, forbid_unknown_fields=True):
    """What has become of a message, as the channel's provider says."""

    message_id: Annotated[str, Meta(examples=["order-confirmed:42"])]
    status: Literal["delivered", "opened", "bounced", "failed"]
    at: Annotated[datetime, Meta(tz=True, examples=["2026-11-22T09:30:00Z"])]
    hard: bool = False
    """Of one that bounced: whether there is no such address."""


class ReceiptOutcome(Struct, frozen=True):
    """What was done about a receipt."""

    message_id: str
    outcome: Literal["recorded", "repeated", "unknown"]
    """``unknown``: no such message was sent by this channel, or its customer was erased."""


def delivery_routes(
    desk: Desk, commands: Commands, cursors: Cursors, discloses: Discloses
) -> list[HTTPRouteHandler]:
    """The routes of what people see and decide about."""

    @get("/v1/messages", opt=requires("messages:read"), tags=_TAGS, summary="List open messages")
    async def list_messages(
        only: State = None, cursor: FromQuery[str | None] = None, limit: Limit = 100
    ) -> MessagePage:
        """The messages that wait, are being sent, or were given up, by their ids.

        What was sent, and has not come back, is not among them.
        """
        query = ("messages", only or "")
        (after,) = cursors.decode(cursor, tuple[str], *query) if cursor else ("",)
        messages = await desk.kept(only, after=after, limit=limit)
        place = place_of(messages, limit)
        return MessagePage(messages, cursors.encode((place,), *query) if place else None)

    @get(
        "/v1/messages/{message_id:str}",
        opt=requires("messages:read"),
        tags=_TAGS,
        summary="Show a message",
    )
    async def show_message(
        request: Request[Any, Any, Any], message_id: FromPath[str]
    ) -> MessageStatus:
        """Where it has come to, and all that has happened to it."""
        view = discloses.to(principal_of(request.scope))
        return await desk.status(check_id(message_id, field="message_id"), view)

    @command(
        "/v1/messages/{message_id:str}/retry",
        scope="messages:write",
        summary="Send a message again",
        tags=_TAGS,
    )
    async def retry_message(
        request: Request[Any, Any, Any],
        message_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is checked to be empty
    ) -> ASGIApp:
        """Of one that was given up, or waits to be tried again. One that is `unknown` goes by the
        same channel, and may so be sent twice; what is dead begins with its first channel.
        """
        check_id(message_id, field="message_id")
        return await commands.run(request, await desk.step(message_id, RetryMessage()))

    @command(
        "/v1/messages/{message_id:str}/drop",
        scope="messages:write",
        summary="Send a message no more",
        tags=_TAGS,
    )
    async def drop_message(
        request: Request[Any, Any, Any],
        message_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is checked to be empty
    ) -> ASGIApp:
        """Of one that waits, or was given up. It is on no list any more."""
        check_id(message_id, field="message_id")
        return await commands.run(request, await desk.step(message_id, DropMessage()))

    return [list_messages, show_message, retry_message, drop_message]


def receipt_routes(desk: Desk, signing: Webhook | None) -> list[HTTPRouteHandler]:
    """The route of receipts, which their signature lets in; without a secret, nothing does."""

    async def is_signed(
        connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
    ) -> None:
        if not isinstance(connection, Request) or signing is None:
            raise Unauthenticated("receipts are not taken here: no secret is set for them")
        headers = {name.decode(): to.decode("latin-1") for name, to in connection.scope["headers"]}
        check_signature(signing, await connection.body(), headers)

    @post(
        "/v1/receipts/{channel:str}",
        opt=_SIGNED,
        guards=[is_signed],
        status_code=200,
        request_max_body_size=MAX_RECEIPTS_BYTES,
        tags=_TAGS,
        summary="Take receipts from a channel's provider",
    )
    async def take_receipts(
        request: Request[Any, Any, Any],
        channel: FromPath[str],
        data: JSONBody[list[SentReceipt]],
    ) -> Sequence[ReceiptOutcome]:
        """Signed as Standard Webhooks has it, at most five minutes ago; there is no API key.

        They may come in any order, and again. The outcomes are in the order of the receipts.
        """
        check_id(channel, field="channel")
        if len(data) > MAX_RECEIPTS:
            raise InvalidInput(f"there are at most {MAX_RECEIPTS:,} receipts at a time")
        request_id = context_of(request.scope).request_id
        metadata = Metadata(
            correlation_id=request_id, actor=f"receipts:{channel}", request_id=request_id
        )
        outcomes: list[ReceiptOutcome] = []
        for start in range(0, len(data), AT_ONCE):
            some = data[start : start + AT_ONCE]
            outcomes += await asyncio.gather(
                *(_take(desk, channel, receipt, metadata) for receipt in some)
            )
        return outcomes

    return [take_receipts]


def check_signature(signing: Webhook, body: bytes, headers: Mapping[str, str]) -> None:
    """`Unauthenticated` unless the body was signed so, at most five minutes ago."""
    try:
        signing.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # what is no Base64, or no UTF-8, among them
        raise Unauthenticated("the receipts are not signed as they should be") from None


async def _take(
    desk: Desk, channel: str, receipt: SentReceipt, metadata: Metadata
) -> ReceiptOutcome:
    status = ReceiptStatus(receipt.status)
    if status is ReceiptStatus.BOUNCED and receipt.hard:
        status = ReceiptStatus.BOUNCED_HARD
    try:
        check_id(receipt.message_id, field="message_id")
        note = NoteReceipt(channel, status, receipt.at)
        executed = await desk.act(receipt.message_id, note, metadata)
    except (NoSuchMessage, NotSentSo, Erased, InvalidInput):
        return ReceiptOutcome(receipt.message_id, "unknown")
    return ReceiptOutcome(receipt.message_id, "recorded" if executed.events else "repeated")
