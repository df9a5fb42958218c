"""What happens to a customer, and to an identity that customers are known by."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from uuid import UUID

from app.kernel.event import Event
from app.kernel.sensitive import SensitiveByName

IdentityKind = Literal["anonymous", "email", "phone", "external"]
"""What an identity is: a visitor's id, an address, a number, or an id of another system."""


class CustomerRegistered(Event, frozen=True):
    """A customer signed up. Traits are set as given; a null removes one."""

    tag: ClassVar[str] = "customer.registered"
    title: ClassVar[str] = "Registered"

    traits: SensitiveByName[Mapping[str, Any]]


class CustomerTraitsChanged(Event, frozen=True):
    """Some traits have new values, and those that are null are gone. Others stay as they were."""

    tag: ClassVar[str] = "customer.traits_changed"
    title: ClassVar[str] = "Traits changed"

    traits: SensitiveByName[Mapping[str, Any]]


class ConsentRecorded(Event, frozen=True):
    """The customer agreed to hear of a topic on a channel."""

    tag: ClassVar[str] = "customer.consent_recorded"
    title: ClassVar[str] = "Agreed to {topic} by {channel}"

    channel: str
    topic: str


class ConsentWithdrawn(Event, frozen=True):
    """The customer does not, or no longer, want to hear of a topic on a channel."""

    tag: ClassVar[str] = "customer.consent_withdrawn"
    title: ClassVar[str] = "Declined {topic} by {channel}"

    channel: str
    topic: str


class IdentityLinked(Event, frozen=True):
    """The customer is known by an identity. Its value stands in no event."""

    tag: ClassVar[str] = "customer.identity_linked"
    title: ClassVar[str] = "Linked an identity ({kind})"

    identity_id: UUID
    kind: IdentityKind


class IdentityUnlinked(Event, frozen=True):
    """The customer is no longer known by an identity."""

    tag: ClassVar[str] = "customer.identity_unlinked"
    title: ClassVar[str] = "Unlinked an identity ({kind})"

    identity_id: UUID
    kind: IdentityKind


class CustomerErased(Event, frozen=True):
    """The customer's data key, its identities and its visitors' data keys were destroyed."""

    tag: ClassVar[str] = "customer.erased"
    title: ClassVar[str] = "Erased"
    is_administrative: ClassVar[bool] = True

    identities: int
    """How many there were."""
    visitors: int
    """How many of them were visitors, who are erased too."""


class CustomerExported(Event, frozen=True):
    """Somebody was given everything that is held about the customer."""

    tag: ClassVar[str] = "customer.exported"
    title: ClassVar[str] = "Exported {customer_id}"
    is_administrative: ClassVar[bool] = True

    customer_id: str


class IdentityClaimed(Event, frozen=True):
    """The identity belongs to a customer."""

    tag: ClassVar[str] = "identity.claimed"
    title: ClassVar[str] = "Claimed by {customer_id}"

    customer_id: str


class IdentityReleased(Event, frozen=True):
    """The identity belongs to nobody."""

    tag: ClassVar[str] = "identity.released"
    title: ClassVar[str] = "Released by {customer_id}"

    customer_id: str


REGISTERED = (
    CustomerRegistered,
    CustomerTraitsChanged,
    ConsentRecorded,
    ConsentWithdrawn,
    IdentityLinked,
    IdentityUnlinked,
    CustomerErased,
    CustomerExported,
    IdentityClaimed,
    IdentityReleased,
)
"""The module's event types, for the catalogue."""
