"""What may happen to a customer, and to an identity that at most one customer has at a time."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.cipher import digest_of
from app.kernel.decider import Decider
from app.kernel.errors import Erased, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import SensitiveByName
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerErased,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityClaimed,
    IdentityKind,
    IdentityLinked,
    IdentityReleased,
    IdentityUnlinked,
)

MAX_TRAITS = 200
MAX_CONSENTS = 500
MAX_IDENTITIES = 100


class AlreadyRegistered(Refused):
    """The customer is registered already."""


class TooManyTraits(Refused):
    """A customer has at most 200 traits."""


class TooManyConsents(Refused):
    """A customer has at most 500 consents, given and withdrawn."""


class TooManyIdentities(Refused):
    """A customer has at most 100 identities."""


class IdentityTaken(Refused):
    """The identity belongs to another customer."""


class Register(Struct, frozen=True):
    """Sign a customer up; the traits are set as by `ChangeTraits`."""

    traits: SensitiveByName[Mapping[str, Any]]


class ChangeTraits(Struct, frozen=True):
    """Set the traits named and leave the others; a null removes one."""

    traits: SensitiveByName[Mapping[str, Any]]


class RecordConsent(Struct, frozen=True):
    """Note that the customer agrees to hear of a topic on a channel."""

    channel: str
    topic: str


class WithdrawConsent(Struct, frozen=True):
    """Note that the customer does not want to hear of a topic on a channel."""

    channel: str
    topic: str


class Preference(Struct, frozen=True):
    """Whether the customer agrees to hear of a topic on a channel."""

    channel: str
    topic: str
    given: bool


class SetPreferences(Struct, frozen=True):
    """Note several consents, given and withdrawn, together; of each channel and topic, one."""

    consents: Sequence[Preference]


class LinkIdentity(Struct, frozen=True):
    """Know the customer by an identity; goes together with `ClaimIdentity`."""

    identity_id: UUID
    kind: IdentityKind


class UnlinkIdentity(Struct, frozen=True):
    """Know the customer no longer by an identity; goes together with `ReleaseIdentity`."""

    identity_id: UUID


class Erase(Struct, frozen=True):
    """Forget the customer, together with so many visitors that it turned out to be."""

    visitors: int


class ClaimIdentity(Struct, frozen=True):
    """Give the identity to a customer."""

    customer_id: str


class ReleaseIdentity(Struct, frozen=True):
    """Take the identity from a customer."""

    customer_id: str


ConsentCommand = RecordConsent | WithdrawConsent | SetPreferences
CustomerCommand = Register | ChangeTraits | ConsentCommand | LinkIdentity | UnlinkIdentity | Erase
IdentityCommand = ClaimIdentity | ReleaseIdentity


class Consent(Enum):
    """What a customer last said of a topic on a channel."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Customer(Struct, frozen=True):
    """A customer, registered or not: the log may know one long before, or without, signing up."""

    registered: bool = False
    traits: Mapping[str, Any] = {}
    consents: Mapping[tuple[str, str], Consent] = {}
    """By channel and topic."""
    identities: Mapping[UUID, IdentityKind] = {}
    is_erased: bool = False


class Unclaimed(Struct, frozen=True):
    """An identity that nobody has."""


class ClaimedBy(Struct, frozen=True):
    """An identity that a customer has."""

    customer_id: str


Identity = Unclaimed | ClaimedBy


def decide_customer(command: CustomerCommand, customer: Customer) -> Sequence[Event]:
    """What follows from a command to a customer; `Erased` where there is none any more."""
    if customer.is_erased or isinstance(command, Erase):
        return _erase(command, customer)
    match command:
        case Register():
            return _register(command, customer)
        case ChangeTraits():
            return _change_traits(command, customer)
        case RecordConsent() | WithdrawConsent() | SetPreferences():
            return _decide_consents(command, customer)
        case LinkIdentity():
            return _link_identity(command, customer)
        case UnlinkIdentity():
            return _unlink_identity(command, customer)
        case _:
            assert_never(command)


def _register(command: Register, customer: Customer) -> Sequence[Event]:
    if customer.registered:
        raise AlreadyRegistered
    _check_number_of_traits(customer.traits, command.traits)
    return (CustomerRegistered(command.traits),)


def _change_traits(command: ChangeTraits, customer: Customer) -> Sequence[Event]:
    changed = {
        name: value
        for name, value in command.traits.items()
        if not _same_json(value, customer.traits.get(name))
    }
    if not changed:
        return ()
    _check_number_of_traits(customer.traits, changed)
    return (CustomerTraitsChanged(changed),)


def _check_number_of_traits(present: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    if len(_with_traits(present, changes)) > MAX_TRAITS:
        raise TooManyTraits


def _decide_consents(command: ConsentCommand, customer: Customer) -> Sequence[Event]:
    """One that was never given is withdrawn too: that is how customers opt out."""
    said = _said_by(command)
    if len(customer.consents.keys() | said.keys()) > MAX_CONSENTS:
        raise TooManyConsents
    return [
        ConsentRecorded(*subject) if consent is Consent.GIVEN else ConsentWithdrawn(*subject)
        for subject, consent in said.items()
        if customer.consents.get(subject) is not consent
    ]


def _said_by(command: ConsentCommand) -> Mapping[tuple[str, str], Consent]:
    """By channel and topic."""
    match command:
        case RecordConsent(channel, topic):
            return {(channel, topic): Consent.GIVEN}
        case WithdrawConsent(channel, topic):
            return {(channel, topic): Consent.WITHDRAWN}
        case SetPreferences(consents):
            return {
                (each.channel, each.topic): Consent.GIVEN if each.given else Consent.WITHDRAWN
                for each in consents
            }
        case _:
            assert_never(command)


def _link_identity(command: LinkIdentity, customer: Customer) -> Sequence[Event]:
    if command.identity_id in customer.identities:
        return ()
    if len(customer.identities) >= MAX_IDENTITIES:
        raise TooManyIdentities
    return (IdentityLinked(command.identity_id, command.kind),)


def _unlink_identity(command: UnlinkIdentity, customer: Customer) -> Sequence[Event]:
    kind = customer.identities.get(command.identity_id)
    return () if kind is None else (IdentityUnlinked(command.identity_id, kind),)


def _erase(command: CustomerCommand, customer: Customer) -> Sequence[Event]:
    """Of the erased, nothing follows from anything."""
    if not isinstance(command, Erase):
        raise Erased
    return (
        () if customer.is_erased else (CustomerErased(len(customer.identities), command.visitors),)
    )


def evolve_customer(customer: Customer, event: Event) -> Customer:
    """The customer after an event."""
    match event:
        case CustomerRegistered(traits=traits):
            return replace(customer, registered=True, traits=_with_traits(customer.traits, traits))
        case CustomerTraitsChanged(traits=traits):
            return replace(customer, traits=_with_traits(customer.traits, traits))
        case ConsentRecorded(channel, topic) | ConsentWithdrawn(channel, topic):
            said = Consent.GIVEN if isinstance(event, ConsentRecorded) else Consent.WITHDRAWN
            return replace(customer, consents={**customer.consents, (channel, topic): said})
        case IdentityLinked(identity_id=identity_id, kind=kind):
            return replace(customer, identities={**customer.identities, identity_id: kind})
        case IdentityUnlinked(identity_id=unlinked):
            rest = {known: kind for known, kind in customer.identities.items() if known != unlinked}
            return replace(customer, identities=rest)
        case CustomerErased():
            return Customer(is_erased=True)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a customer")


def _with_traits(present: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    together = {**present, **changes}
    return {name: value for name, value in together.items() if value is not None}


def _same_json(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 and 1.0 are one number, and true is none.

    Of sealed values, their digests are equal when they are.
    """
    if isinstance(one, str):  # as most are
        return bool(one == other)
    digests = digest_of(one), digest_of(other)
    if any(digests):
        return digests[0] == digests[1]
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, int):
        other = float(other)  # what is recorded as 1e300 comes back with all its digits
    return bool(one == other)


def decide_identity(command: IdentityCommand, identity: Identity) -> Sequence[Event]:
    """What follows from a command to an identity."""
    match command:
        case ClaimIdentity():
            return _claim_identity(command, identity)
        case ReleaseIdentity():
            return _release_identity(command, identity)
        case _:
            assert_never(command)


def _claim_identity(command: ClaimIdentity, identity: Identity) -> Sequence[Event]:
    match identity:
        case Unclaimed():
            return (IdentityClaimed(command.customer_id),)
        case ClaimedBy(customer_id=owner) if owner == command.customer_id:
            return ()
        case ClaimedBy():
            raise IdentityTaken
        case _:
            assert_never(identity)


def _release_identity(command: ReleaseIdentity, identity: Identity) -> Sequence[Event]:
    if identity != ClaimedBy(command.customer_id):
        return ()
    return (IdentityReleased(command.customer_id),)


def evolve_identity(_: Identity, event: Event) -> Identity:
    """Whose the identity is after an event."""
    match event:
        case IdentityClaimed(customer_id=customer_id):
            return ClaimedBy(customer_id)
        case IdentityReleased():
            return Unclaimed()
        case _:
            raise UnknownEvent(f"{event.tag} is no event of an identity")


CUSTOMER: Decider[CustomerCommand, Customer] = Decider(
    category="customer",
    initial=Customer(),
    decide=decide_customer,
    evolve=evolve_customer,
    events=(
        CustomerRegistered,
        CustomerTraitsChanged,
        ConsentRecorded,
        ConsentWithdrawn,
        IdentityLinked,
        IdentityUnlinked,
        CustomerErased,
    ),
)

IDENTITY: Decider[IdentityCommand, Identity] = Decider(
    category="identity",
    initial=Unclaimed(),
    decide=decide_identity,
    evolve=evolve_identity,
    events=(IdentityClaimed, IdentityReleased),
)
