"""Orders over HTTP."""

from typing import Annotated, Any, Literal, assert_never

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Currency, Nothing, Word
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.modules.orders.decider import (
    ORDER,
    Cancelled,
    CancelOrder,
    Confirmed,
    Delivered,
    DeliverOrder,
    NoSuchOrder,
    NotPlaced,
    Order,
    OrderCommand,
    Placed,
    PlacedOrder,
    PlaceOrder,
    ShipOrder,
    Shipped,
)
from app.modules.orders.events import Line
from app.security.commands import Commands, command

MAX_ORDER_ID_CHARACTERS = 100
"""The ids of payments, timers and messages are made from it."""
MAX_LINES = 50
MAX_QUANTITY = 10_000
MAX_UNIT_PRICE = 1_000_000_000

_PATH = "/v1/orders/{order_id:str}"
_TAGS = ["Orders"]

Reason = Annotated[
    Word,
    Meta(
        description="Why, in a word; it stands on the timeline.",
        examples=["changed-my-mind"],
    ),
]
Status = Literal["placed", "confirmed", "shipped", "delivered", "cancelled"]


class OrderLine(Struct, frozen=True, forbid_unknown_fields=True):
    """So many of one thing."""

    sku: Annotated[str, Meta(description="The stock-keeping unit.", examples=["A-7"])]
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY, examples=[2])]
    unit_price: Annotated[
        int,
        Meta(
            ge=0, le=MAX_UNIT_PRICE, description="In minor units of the currency.", examples=[1250]
        ),
    ]


class Placing(Struct, frozen=True, forbid_unknown_fields=True):
    """What is ordered, and by whom."""

    customer_id: Annotated[str, Meta(examples=["anna"])]
    lines: Annotated[
        tuple[OrderLine, ...],
        Meta(min_length=1, max_length=MAX_LINES, description="One a thing."),
    ]
    currency: Currency
    allow_partial: Annotated[
        bool,
        Meta(description="Whether what is there is wanted when not all is.", examples=[False]),
    ] = False


class Cancelling(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an order is cancelled."""

    reason: Reason = "asked-for"


class OrderNow(Struct, frozen=True):
    """An order as it is now."""

    order_id: Annotated[str, Meta(examples=["42"])]
    customer_id: Annotated[str, Meta(examples=["anna"])]
    status: Status
    currency: Annotated[str, Meta(examples=["EUR"])]
    lines: tuple[Line, ...]
    """What was ordered."""
    total: Annotated[int, Meta(examples=[2500])]
    """Of what was ordered, in minor units."""
    confirmed_lines: tuple[Line, ...] | None
    """What is shipped; null while, or where, nothing is confirmed."""
    confirmed_total: Annotated[int | None, Meta(examples=[2500])]
    reason: Annotated[str | None, Meta(examples=[None])]
    """Why it was cancelled."""


def order_routes(commands: Commands) -> list[HTTPRouteHandler]:
    """The routes of orders."""
    return [*_customer_routes(commands), *_carrier_routes(commands), _query_route(commands)]


def _customer_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/place", scope="orders:write", summary="Place an order", tags=_TAGS)
    async def place_order(
        request: Request[Any, Any, Any], order_id: FromPath[str], data: JSONBody[Placing]
    ) -> ASGIApp:
        """It is confirmed once it is paid and its stock is kept, or cancelled.

        The same order again is nothing; another one under the same id is refused.
        """
        check_customer_id(data.customer_id)
        for number, line in enumerate(data.lines):
            check_id(line.sku, field=f"lines[{number}].sku")
        lines = tuple(Line(line.sku, line.quantity, line.unit_price) for line in data.lines)
        place = PlaceOrder(data.customer_id, lines, data.currency, data.allow_partial)
        return await commands.run(request, _step(order_id, place, data.customer_id))

    @command(f"{_PATH}/cancel", scope="orders:write", summary="Cancel an order", tags=_TAGS)
    async def cancel_order(
        request: Request[Any, Any, Any], order_id: FromPath[str], data: JSONBody[Cancelling]
    ) -> ASGIApp:
        """Until it is shipped. What was paid goes back, what was kept in stock is free again."""
        return await commands.run(request, _step(order_id, CancelOrder(data.reason)))

    return [place_order, cancel_order]


def _carrier_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/ship", scope="orders:write", summary="Note that an order left", tags=_TAGS)
    async def ship_order(
        request: Request[Any, Any, Any],
        order_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - the body is checked: it is empty
    ) -> ASGIApp:
        """Once it is confirmed."""
        return await commands.run(request, _step(order_id, ShipOrder()))

    @command(
        f"{_PATH}/deliver", scope="orders:write", summary="Note that an order arrived", tags=_TAGS
    )
    async def deliver_order(
        request: Request[Any, Any, Any],
        order_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - the body is checked: it is empty
    ) -> ASGIApp:
        """Once it was shipped."""
        return await commands.run(request, _step(order_id, DeliverOrder()))

    return [ship_order, deliver_order]


def _query_route(commands: Commands) -> HTTPRouteHandler:
    @get(_PATH, opt=requires("orders:read"), tags=_TAGS, summary="Read an order")
    async def read_order(order_id: FromPath[str]) -> Response[OrderNow]:
        """As the log has it at the moment. The `ETag` is what `If-Match` expects."""
        _check_order_id(order_id)
        folded = await commands.read(ORDER, order_id)
        return Response(_shown(order_id, folded.state), headers={"ETag": etag(folded.version)})

    return read_order


def _check_order_id(order_id: str) -> None:
    check_id(order_id, field="order_id")
    if len(order_id) > MAX_ORDER_ID_CHARACTERS:
        raise InvalidInput(
            f"an order's id has 1 to {MAX_ORDER_ID_CHARACTERS} characters", field="order_id"
        )


def _step(
    order_id: str, command: OrderCommand, customer_id: str | None = None
) -> Step[OrderCommand]:
    _check_order_id(order_id)
    return Step(ORDER, order_id, command, customer_id)


def _shown(order_id: str, order: Order) -> OrderNow:
    if isinstance(order, NotPlaced):
        raise NoSuchOrder
    placed = order.order
    confirmed = order.confirmed if isinstance(order, Confirmed | Shipped | Delivered) else None
    return OrderNow(
        order_id,
        placed.customer_id,
        _status_of(order),
        placed.currency,
        placed.lines,
        placed.total,
        confirmed.lines if confirmed else None,
        confirmed.total if confirmed else None,
        order.reason if isinstance(order, Cancelled) else None,
    )


def _status_of(order: PlacedOrder) -> Status:
    match order:
        case Placed():
            return "placed"
        case Confirmed():
            return "confirmed"
        case Shipped():
            return "shipped"
        case Delivered():
            return "delivered"
        case Cancelled():
            return "cancelled"
        case _:
            assert_never(order)
