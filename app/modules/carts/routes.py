"""Carts over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import UNSET, Meta, Struct, UnsetType

from app.eventstore.execute import Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Currency, Nothing
from app.kernel.errors import InvalidInput
from app.kernel.ids import anonymous, check_anonymous_id, check_customer_id, check_id
from app.modules.carts.decider import (
    CART,
    AddItem,
    Cart,
    CartCommand,
    ChangeItem,
    CheckOut,
    ClosedCart,
    NoCart,
    NoSuchCart,
    OpenCart,
    RemoveItem,
    total_of,
)
from app.modules.carts.events import Line
from app.security.commands import Commands, command

MAX_QUANTITY = 10_000
MAX_UNIT_PRICE = 1_000_000_000

VisitorIdentity = Callable[[str], Awaitable[UUID]]
"""The identity id of a visitor by its anonymous id, as `link-identity` knows it."""

_PATH = "/v1/carts/{cart_id:str}"
_TAGS = ["Carts"]

Sku = Annotated[
    str, Meta(min_length=1, max_length=200, description="What it is.", examples=["A-7"])
]
Quantity = Annotated[
    int, Meta(ge=1, le=MAX_QUANTITY, description="How many are in the cart then.", examples=[2])
]
UnitPrice = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_UNIT_PRICE,
        description="Of one, in minor units of the currency: 1250 are 12.50 EUR.",
        examples=[1250],
    ),
]


class Owner(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose a cart is."""

    customer_id: Annotated[
        str | UnsetType,
        Meta(description="Whose it is. This or `anonymous_id`.", examples=["anna"]),
    ] = UNSET
    anonymous_id: Annotated[
        str | UnsetType, Meta(description="The visitor whose it is, by a cookie or device.")
    ] = UNSET


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """What is put into a cart."""

    sku: Sku
    quantity: Quantity
    unit_price: UnitPrice
    currency: Annotated[Currency, Meta(description="The same for the whole cart.")]


class ItemChange(Struct, frozen=True, forbid_unknown_fields=True):
    """How something in a cart is to be from now on."""

    sku: Sku
    quantity: Quantity
    unit_price: UnitPrice | UnsetType = UNSET


class ItemName(Struct, frozen=True, forbid_unknown_fields=True):
    """What is taken out of a cart."""

    sku: Sku


class CartNow(Struct, frozen=True):
    """A cart as it is now."""

    cart_id: Annotated[str, Meta(examples=["c-1001"])]
    customer_id: Annotated[str, Meta(examples=["anna"])]
    """Whose it is; a visitor's begins with ``~``."""
    status: Literal["open", "checked-out"]
    lines: tuple[Line, ...]
    total: Annotated[int, Meta(examples=[2500])]
    """Of all that is in it, in minor units."""
    currency: Annotated[str | None, Meta(examples=["EUR"])]
    """Null while nothing is in it."""


def cart_routes(commands: Commands, identity_of: VisitorIdentity) -> list[HTTPRouteHandler]:
    """The routes of carts."""
    return [
        *_cart_routes(commands, identity_of),
        *_item_routes(commands),
        _query_route(commands),
    ]


def _cart_routes(commands: Commands, identity_of: VisitorIdentity) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/open", scope="carts:write", summary="Open a cart", tags=_TAGS)
    async def open_cart(
        request: Request[Any, Any, Any], cart_id: FromPath[str], data: JSONBody[Owner]
    ) -> ASGIApp:
        """A customer or a visitor may have several at once. A visitor's become a customer's when
        the anonymous id is linked to one, as long as they are not checked out.

        Opening one's own cart again is nothing; one of somebody else is refused.
        """
        check_id(cart_id, field="cart_id")
        opening = await _opening(data, identity_of)
        return await commands.run(request, Step(CART, cart_id, opening, opening.customer_id))

    @command(f"{_PATH}/check-out", scope="carts:write", summary="Check out a cart", tags=_TAGS)
    async def check_out_cart(
        request: Request[Any, Any, Any],
        cart_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """Freezes the cart: nothing goes in or out any more. Again, it is nothing.

        Refused for an empty cart.
        """
        return await commands.run(request, _step(cart_id, CheckOut()))

    return [open_cart, check_out_cart]


def _item_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/add-item", scope="carts:write", summary="Add to a cart", tags=_TAGS)
    async def add_item(
        request: Request[Any, Any, Any], cart_id: FromPath[str], data: JSONBody[Item]
    ) -> ASGIApp:
        """The same again is nothing. What is in the cart in another number, or at another price,
        is refused: change it.
        """
        item = AddItem(data.sku, data.quantity, data.unit_price, data.currency)
        return await commands.run(request, _step(cart_id, item))

    @command(
        f"{_PATH}/change-item", scope="carts:write", summary="Change what is in a cart", tags=_TAGS
    )
    async def change_item(
        request: Request[Any, Any, Any], cart_id: FromPath[str], data: JSONBody[ItemChange]
    ) -> ASGIApp:
        """Sets how many there are; the price, too, where it is given."""
        unit_price = None if isinstance(data.unit_price, UnsetType) else data.unit_price
        change = ChangeItem(data.sku, data.quantity, unit_price)
        return await commands.run(request, _step(cart_id, change))

    @command(f"{_PATH}/remove-item", scope="carts:write", summary="Remove from a cart", tags=_TAGS)
    async def remove_item(
        request: Request[Any, Any, Any], cart_id: FromPath[str], data: JSONBody[ItemName]
    ) -> ASGIApp:
        """All of it. What is not in the cart is nothing to remove."""
        return await commands.run(request, _step(cart_id, RemoveItem(data.sku)))

    return [add_item, change_item, remove_item]


def _query_route(commands: Commands) -> HTTPRouteHandler:
    @get(_PATH, opt=requires("carts:read"), tags=_TAGS, summary="Read a cart")
    async def read_cart(cart_id: FromPath[str]) -> Response[CartNow]:
        """As the log has it at the moment. The `ETag` is what `If-Match` expects."""
        check_id(cart_id, field="cart_id")
        folded = await commands.read(CART, cart_id)
        return Response(_shown(cart_id, folded.state), headers={"ETag": etag(folded.version)})

    return read_cart


def _shown(cart_id: str, cart: Cart) -> CartNow:
    if isinstance(cart, NoCart):
        raise NoSuchCart
    lines = tuple(cart.lines.values())
    return CartNow(
        cart_id,
        cart.customer_id,
        "checked-out" if isinstance(cart, ClosedCart) else "open",
        lines,
        total_of(lines),
        lines[0].currency if lines else None,
    )


async def _opening(owner: Owner, identity_of: VisitorIdentity) -> OpenCart:
    if not isinstance(owner.customer_id, UnsetType):
        if not isinstance(owner.anonymous_id, UnsetType):
            raise InvalidInput("give customer_id or anonymous_id, not both", field="anonymous_id")
        return OpenCart(check_customer_id(owner.customer_id))
    if isinstance(owner.anonymous_id, UnsetType):
        raise InvalidInput("give customer_id or anonymous_id", field="customer_id")
    check_anonymous_id(owner.anonymous_id)
    return OpenCart(anonymous(owner.anonymous_id), await identity_of(owner.anonymous_id))


def _step(cart_id: str, cart_command: CartCommand) -> Step[CartCommand]:
    """On the timeline of whoever's the cart is."""
    return Step(CART, check_id(cart_id, field="cart_id"), cart_command)
