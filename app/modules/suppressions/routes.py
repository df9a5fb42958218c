"""Suppressions over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Word
from app.kernel.ids import check_customer_id, check_id
from app.modules.suppressions.decider import (
    SUPPRESSION,
    LiftSuppression,
    Suppress,
    SuppressionCommand,
)
from app.modules.suppressions.events import Reason
from app.security.commands import Commands, command

_CUSTOMER = "/v1/customers/{customer_id:str}"
_TAGS = ["Suppressions"]

Channel = Annotated[Word, Meta(description="How the customer is reached.", examples=["email"])]


class NewSuppression(Struct, frozen=True, forbid_unknown_fields=True):
    """By which channel nothing is to be sent, and why."""

    channel: Channel
    reason: Annotated[Reason, Meta(description="Why that is.", examples=["asked"])]


class LiftedSuppression(Struct, frozen=True, forbid_unknown_fields=True):
    """Which channel may be used again."""

    channel: Channel


class Suppression(Struct, frozen=True):
    """A channel by which nothing is sent."""

    channel: Annotated[str, Meta(examples=["email"])]
    reason: Reason


class SuppressionList(Struct, frozen=True):
    """All of a customer's, by channel."""

    items: Sequence[Suppression]


def suppression_routes(commands: Commands) -> list[HTTPRouteHandler]:
    """The routes of a customer's suppressions."""

    @command(
        f"{_CUSTOMER}/suppress", scope="customers:write", summary="Suppress a channel", tags=_TAGS
    )
    async def suppress_channel(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[NewSuppression]
    ) -> ASGIApp:
        """Nothing is sent to the customer by it, whatever consents there are, whoever requests it.

        It is asked before each attempt. Only a text that goes to the inbox at once is there
        as it is requested, unless a rule requests it.
        """
        step = _step(customer_id, Suppress(data.channel, data.reason))
        return await commands.run(request, step)

    @command(
        f"{_CUSTOMER}/lift-suppression",
        scope="customers:write",
        summary="Lift a suppression",
        tags=_TAGS,
    )
    async def lift_suppression(
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        data: JSONBody[LiftedSuppression],
    ) -> ASGIApp:
        """The channel may be used again, such as when the customer has another address."""
        return await commands.run(request, _step(customer_id, LiftSuppression(data.channel)))

    @get(
        f"{_CUSTOMER}/suppressions",
        opt=requires("customers:read"),
        tags=_TAGS,
        summary="Read a customer's suppressions",
    )
    async def read_suppressions(customer_id: FromPath[str]) -> Response[SuppressionList]:
        """By which channels the customer gets nothing; none for nobody. `ETag` is the version."""
        check_id(customer_id, field="customer_id")
        found = await commands.read(SUPPRESSION, customer_id)
        items = [
            Suppression(*item)
            for item in sorted(found.state.reasons.items(), key=lambda item: item[0])
        ]
        return Response(SuppressionList(items), headers={"ETag": etag(found.version)})

    return [suppress_channel, lift_suppression, read_suppressions]


def _step(customer_id: str, command: SuppressionCommand) -> Step[SuppressionCommand]:
    check_customer_id(customer_id)
    return Step(SUPPRESSION, customer_id, command, customer_id)
