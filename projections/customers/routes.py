"""``GET /v1/customers`` and ``GET /v1/customers/{customer_id}``."""

from typing import Annotated, Any, Protocol, get_args
from uuid import UUID

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from app.http.access import principal_of, requires
from app.http.conditional import etag
from app.kernel.cipher import Discloses
from app.kernel.errors import InvalidInput
from app.kernel.ids import MAX_ID_CHARACTERS, check_id
from app.kernel.sensitive import Names
from app.modules.customers.events import IdentityKind
from projections.as_of import PastModels
from projections.customers.queries import Customer, CustomerPage, Customers
from projections.customers.search import (
    MAX_SEARCH_CHARACTERS,
    ByIdentity,
    ByIdPrefix,
    ByTrait,
    Search,
)
from projections.paging import DEFAULT_LIMIT
from projections.parameters import AsOf, Cursor, Limit, MinPosition, check_length, past_of

IDENTITY_KINDS: tuple[IdentityKind, ...] = get_args(IdentityKind)
MAX_TRAIT_NAME_CHARACTERS = 100

_TAGS = ["Customers"]

IdPrefix = Annotated[
    str | None,
    QueryParameter(
        description="Customers whose ids begin so; visitors (`~…`) when it begins with `~`."
    ),
]
IdentityParameter = Annotated[
    str | None,
    QueryParameter(
        name="identity",
        description="Who is known by this: `email:anna.berg@example.org`, `phone:…`, "
        "`external:…` or `anonymous:…`.",
    ),
]
Trait = Annotated[
    str | None, QueryParameter(description="Customers who have this trait, by its value.")
]
StartsWith = Annotated[
    str | None,
    QueryParameter(description="With `trait`: the value begins so; a to z in either case."),
]


class IdentityFinder(Protocol):
    """Finds identities by value; raises `InvalidInput` for a value that is none."""

    async def find(self, kind: IdentityKind, value: str) -> UUID | None:
        """The id of the identity, if it has been seen."""
        ...


def customer_query_routes(
    customers: Customers,
    identities: IdentityFinder,
    past: PastModels,
    discloses: Discloses,
    sensitive: Names,
) -> list[HTTPRouteHandler]:
    """The routes of the queries of customers."""

    @get(
        "/v1/customers/{customer_id:str}",
        opt=requires("customers:read", own="customer_id"),
        tags=_TAGS,
        summary="Read a customer",
    )
    async def read_customer(
        *,
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        min_position: MinPosition = None,
        as_of: AsOf = None,
    ) -> Response[Customer]:
        """A customer as it is now. The `ETag` is what a command's `If-Match` expects.

        With `as_of`, as it was then, without an `ETag`.
        """
        check_id(customer_id, field="customer_id")
        then = await past_of(past, customer_id, as_of, min_position)
        view = discloses.to(principal_of(request.scope))
        customer = await customers.one(
            customer_id, min_position=min_position, as_of=then, view=view
        )
        headers = {"ETag": etag(customer.version)} if then is None else {}
        return Response(customer, headers=headers)

    @get("/v1/customers", opt=requires("customers:read"), tags=_TAGS, summary="Find customers")
    async def find_customers(
        *,
        request: Request[Any, Any, Any],
        id_prefix: IdPrefix = None,
        identity: IdentityParameter = None,
        trait: Trait = None,
        starts_with: StartsWith = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        min_position: MinPosition = None,
    ) -> CustomerPage:
        """Customers by the beginning of their ids, by an identity, or by a trait; else all.

        Listed by id, or by the trait's value and then by id. A sensitive trait is sealed, so that
        nobody is found by it.
        """
        if trait is not None and trait in sensitive:
            raise InvalidInput(
                f"{trait} is sensitive, and sealed: look by identity instead", field="trait"
            )
        search = await _search(identities, id_prefix, identity, trait, starts_with)
        return await customers.page(
            search,
            limit=limit,
            cursor=cursor,
            min_position=min_position,
            view=discloses.to(principal_of(request.scope)),
        )

    return [find_customers, read_customer]


async def _search(
    identities: IdentityFinder,
    id_prefix: str | None,
    identity: str | None,
    trait: str | None,
    starts_with: str | None,
) -> Search:
    """What is searched for: one thing at most."""
    if sum(given is not None for given in (id_prefix, identity, trait)) > 1:
        raise InvalidInput("one of id_prefix, identity and trait is given", field="trait")
    if starts_with is not None and trait is None:
        raise InvalidInput("it goes with trait", field="starts_with")
    if identity is not None:
        return ByIdentity(await _find(identities, identity))
    if trait is not None:
        check_length(trait, max_characters=MAX_TRAIT_NAME_CHARACTERS, field="trait")
        prefix = starts_with or ""
        check_length(prefix, max_characters=MAX_SEARCH_CHARACTERS, field="starts_with")
        return ByTrait(trait, prefix)
    prefix = id_prefix or ""
    return ByIdPrefix(check_length(prefix, max_characters=MAX_ID_CHARACTERS, field="id_prefix"))


async def _find(identities: IdentityFinder, identity: str) -> UUID | None:
    kind, colon, value = identity.partition(":")
    for known in IDENTITY_KINDS:
        if colon and kind == known:
            try:
                return await identities.find(known, value)
            except InvalidInput as error:
                raise InvalidInput(str(error), field="identity") from None
    raise InvalidInput(f"it begins with one of {', '.join(IDENTITY_KINDS)} and :", field="identity")
