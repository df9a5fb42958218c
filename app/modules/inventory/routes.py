"""Inventory over HTTP."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.access import requires
from app.http.conditional import etag
from app.kernel.ids import check_id
from app.modules.inventory.decider import (
    INVENTORY,
    InventoryCommand,
    NoSuchStock,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
)
from app.security.commands import Commands, command

MAX_QUANTITY = 1_000_000_000

_PATH = "/v1/inventory/{sku:str}"
_TAGS = ["Inventory"]

Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, description="Units.", examples=[100])]
OrderId = Annotated[str, Meta(description="For which order.", examples=["42"])]


class Receiving(Struct, frozen=True, forbid_unknown_fields=True):
    """How many units came in."""

    quantity: Quantity


class Reserving(Struct, frozen=True, forbid_unknown_fields=True):
    """How many units are to be kept."""

    order_id: OrderId
    quantity: Quantity
    allow_partial: Annotated[
        bool, Meta(description="Whether fewer are welcome.", examples=[False])
    ] = False


class OfOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose reservation it is."""

    order_id: OrderId


class StockNow(Struct, frozen=True):
    """The stock of a thing as it is now. All that was ever received is in one of the three."""

    sku: Annotated[str, Meta(examples=["A-7"])]
    available: Annotated[int, Meta(examples=[98])]
    """To be had."""
    reserved: Annotated[int, Meta(examples=[2])]
    """Kept for orders."""
    shipped: Annotated[int, Meta(examples=[0])]


def inventory_routes(commands: Commands) -> list[HTTPRouteHandler]:
    """The routes of inventory."""
    return [*_reservation_routes(commands), *_warehouse_routes(commands), _query_route(commands)]


def _reservation_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_PATH}/reserve",
        scope="inventory:write",
        summary="Reserve stock for an order",
        tags=_TAGS,
    )
    async def reserve_stock(
        request: Request[Any, Any, Any], sku: FromPath[str], data: JSONBody[Reserving]
    ) -> ASGIApp:
        """The answer's event says whether it was `inventory.reserved` or `inventory.declined`.

        Orders reserve theirs themselves. A reservation that stands is not made twice.
        """
        check_id(data.order_id, field="order_id")
        reserve = ReserveStock(data.order_id, data.quantity, data.allow_partial)
        return await commands.run(request, _step(sku, reserve))

    @command(
        f"{_PATH}/release", scope="inventory:write", summary="Release reserved stock", tags=_TAGS
    )
    async def release_stock(
        request: Request[Any, Any, Any], sku: FromPath[str], data: JSONBody[OfOrder]
    ) -> ASGIApp:
        """What is kept for the order is free again; nothing where nothing is kept."""
        check_id(data.order_id, field="order_id")
        return await commands.run(request, _step(sku, ReleaseStock(data.order_id)))

    return [reserve_stock, release_stock]


def _warehouse_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/receive", scope="inventory:write", summary="Receive stock", tags=_TAGS)
    async def receive_stock(
        request: Request[Any, Any, Any], sku: FromPath[str], data: JSONBody[Receiving]
    ) -> ASGIApp:
        """Units came in. Sent twice they came twice, unless under one `Idempotency-Key`."""
        return await commands.run(request, _step(sku, ReceiveStock(data.quantity)))

    @command(f"{_PATH}/ship", scope="inventory:write", summary="Ship reserved stock", tags=_TAGS)
    async def ship_stock(
        request: Request[Any, Any, Any], sku: FromPath[str], data: JSONBody[OfOrder]
    ) -> ASGIApp:
        """What is kept for the order left; nothing where nothing is kept."""
        check_id(data.order_id, field="order_id")
        return await commands.run(request, _step(sku, ShipStock(data.order_id)))

    return [receive_stock, ship_stock]


def _query_route(commands: Commands) -> HTTPRouteHandler:
    @get(_PATH, opt=requires("inventory:read"), tags=_TAGS, summary="Read a thing's stock")
    async def read_stock(sku: FromPath[str]) -> Response[StockNow]:
        """As the log has it at the moment. The `ETag` is what `If-Match` expects."""
        check_id(sku, field="sku")
        folded = await commands.read(INVENTORY, sku)
        if not folded.version:
            raise NoSuchStock
        stock = folded.state
        return Response(
            StockNow(sku, stock.available, stock.reserved, stock.shipped),
            headers={"ETag": etag(folded.version)},
        )

    return read_stock


def _step(sku: str, command: InventoryCommand) -> Step[InventoryCommand]:
    """On nobody's timeline: what is kept for an order, the order's own events tell."""
    check_id(sku, field="sku")
    return Step(INVENTORY, sku, command)
