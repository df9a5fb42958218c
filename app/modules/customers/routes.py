"""Commands to customers over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Word
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id
from app.kernel.reserved import RESERVED_PREFIX, path_of_reserved_name
from app.modules.customers.decider import (
    CUSTOMER,
    IDENTITY,
    ChangeTraits,
    ClaimIdentity,
    CustomerCommand,
    IdentityCommand,
    LinkIdentity,
    Preference,
    RecordConsent,
    Register,
    ReleaseIdentity,
    SetPreferences,
    UnlinkIdentity,
    WithdrawConsent,
)
from app.modules.customers.events import IdentityKind
from app.modules.customers.identities import IdentityIndex
from app.security.commands import Commands, command

MAX_TRAIT_NAME_CHARACTERS = 100
MAX_PREFERENCES = 100
"""In one request."""

_PATH = "/v1/customers/{customer_id:str}"
_TAGS = ["Customers"]
_NEVER_SEEN = UUID(int=0)
"""Stands for an identity without an id: no customer has it, so there is nothing to unlink."""

Traits = Annotated[
    Mapping[str, Any],
    Meta(
        description="Values by name (1 to 100 printable characters); null removes a trait.",
        examples=[{"name": "Anna Berg", "plan": "pro", "seats": 3}],
    ),
]
Channel = Annotated[Word, Meta(description="How the customer is reached.", examples=["email"])]
Topic = Annotated[Word, Meta(description="What it is about.", examples=["news"])]
Kind = Annotated[IdentityKind, Meta(description="What the identity is.", examples=["email"])]
Value = Annotated[
    str,
    Meta(
        description="The identity itself. It is stored as a keyed digest only, and in no event.",
        examples=["anna.berg@example.org"],
    ),
]


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer is registered with."""

    traits: Traits = {}


class TraitChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """The traits to set; others stay as they are."""

    traits: Traits


class ConsentSubject(Struct, frozen=True, forbid_unknown_fields=True):
    """What a consent is for."""

    channel: Channel
    topic: Topic


class ConsentChoice(ConsentSubject, frozen=True, forbid_unknown_fields=True):
    """What a customer says of a topic on a channel."""

    given: Annotated[bool, Meta(description="False: withdrawn, or never wanted.", examples=[True])]


class Preferences(Struct, frozen=True, forbid_unknown_fields=True):
    """Consents to set; others stay as they are."""

    consents: Annotated[
        Sequence[ConsentChoice],
        Meta(
            min_length=1,
            max_length=MAX_PREFERENCES,
            description="At most one of each channel and topic.",
        ),
    ]


class IdentityValue(Struct, frozen=True, forbid_unknown_fields=True):
    """An identity by its value."""

    kind: Kind
    value: Value


def customer_routes(commands: Commands, identities: IdentityIndex) -> list[HTTPRouteHandler]:
    """The routes of the commands to a customer."""
    return [
        *_profile_routes(commands),
        *_consent_routes(commands),
        *_link_routes(commands, identities),
    ]


def _profile_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_PATH}/register", scope="customers:write", summary="Register a customer", tags=_TAGS
    )
    async def register_customer(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[Registration]
    ) -> ASGIApp:
        """Refused for one who is registered already.

        Traits that the customer was given before stay, unless they are named here.
        """
        step = _customer_step(customer_id, Register(check_traits(data.traits)))
        return await commands.run(request, step)

    @command(
        f"{_PATH}/change-traits",
        scope="customers:write",
        summary="Change traits of a customer",
        tags=_TAGS,
    )
    async def change_traits(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[TraitChanges]
    ) -> ASGIApp:
        """Only what really changes is recorded. The customer need not be registered."""
        step = _customer_step(customer_id, ChangeTraits(check_traits(data.traits)))
        return await commands.run(request, step)

    return [register_customer, change_traits]


def _consent_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_PATH}/record-consent",
        scope="customers:write",
        summary="Record a customer's consent",
        tags=_TAGS,
    )
    async def record_consent(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[ConsentSubject]
    ) -> ASGIApp:
        """The customer agrees to hear of a topic on a channel."""
        step = _customer_step(customer_id, RecordConsent(data.channel, data.topic))
        return await commands.run(request, step)

    @command(
        f"{_PATH}/withdraw-consent",
        scope="customers:write",
        summary="Withdraw a customer's consent",
        tags=_TAGS,
    )
    async def withdraw_consent(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[ConsentSubject]
    ) -> ASGIApp:
        """Of a consent that was never given, this records the opt-out."""
        step = _customer_step(customer_id, WithdrawConsent(data.channel, data.topic))
        return await commands.run(request, step)

    @command(
        f"{_PATH}/preferences",
        scope="customers:write",
        own="customer_id",
        summary="Set a customer's preferences",
        tags=_TAGS,
    )
    async def set_preferences(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[Preferences]
    ) -> ASGIApp:
        """Several consents at once, all or none. The customer's own token may do this, too.

        Only what really changes is recorded.
        """
        consents = [Preference(each.channel, each.topic, each.given) for each in data.consents]
        _check_said_once(consents)
        return await commands.run(request, _customer_step(customer_id, SetPreferences(consents)))

    return [record_consent, withdraw_consent, set_preferences]


def _link_routes(commands: Commands, identities: IdentityIndex) -> list[HTTPRouteHandler]:
    @command(
        f"{_PATH}/link-identity",
        scope="customers:write",
        summary="Link an identity to a customer",
        tags=_TAGS,
    )
    async def link_identity(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[IdentityValue]
    ) -> ASGIApp:
        """What stands under an anonymous id that is linked appears on the customer's timeline.

        An identity that another customer has is refused.
        """
        check_customer_id(customer_id)
        identity_id = await identities.find_or_create(data.kind, data.value, of=customer_id)
        return await commands.run(
            request,
            _customer_step(customer_id, LinkIdentity(identity_id, data.kind)),
            _identity_step(identity_id, ClaimIdentity(customer_id)),
        )

    @command(
        f"{_PATH}/unlink-identity",
        scope="customers:write",
        summary="Unlink an identity from a customer",
        tags=_TAGS,
    )
    async def unlink_identity(
        request: Request[Any, Any, Any], customer_id: FromPath[str], data: JSONBody[IdentityValue]
    ) -> ASGIApp:
        """Takes back a link. Nothing is rewritten, and the identity can be linked again."""
        check_customer_id(customer_id)
        identity_id = await identities.find(data.kind, data.value)
        steps: list[Step[Any]] = [
            _customer_step(customer_id, UnlinkIdentity(identity_id or _NEVER_SEEN))
        ]
        if identity_id:
            steps.append(_identity_step(identity_id, ReleaseIdentity(customer_id)))
        return await commands.run(request, *steps)

    return [link_identity, unlink_identity]


def check_traits(traits: Mapping[str, Any]) -> Mapping[str, Any]:
    """The traits themselves when their names will do, else `InvalidInput`."""
    for name in traits:
        if not 1 <= len(name) <= MAX_TRAIT_NAME_CHARACTERS or not name.isprintable():
            raise InvalidInput(
                f"a trait's name has 1 to {MAX_TRAIT_NAME_CHARACTERS} printable characters",
                field="traits",
            )
    if path := path_of_reserved_name(traits):
        raise InvalidInput(
            f"names that begin with {RESERVED_PREFIX} are reserved", field=f"traits{path}"
        )
    return traits


def _check_said_once(consents: Sequence[Preference]) -> None:
    said = set()
    for number, each in enumerate(consents):
        if (each.channel, each.topic) in said:
            raise InvalidInput("it was said before", field=f"consents[{number}]")
        said.add((each.channel, each.topic))


def _customer_step(customer_id: str, command: CustomerCommand) -> Step[CustomerCommand]:
    check_customer_id(customer_id)
    return Step(CUSTOMER, customer_id, command, customer_id)


def _identity_step(identity_id: UUID, command: IdentityCommand) -> Step[IdentityCommand]:
    """On nobody's timeline: the customer's own event tells of the link."""
    return Step(IDENTITY, str(identity_id), command, customer_id=None)
