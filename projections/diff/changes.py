"""What is different between two states of a customer, part by part."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from projections.customers.queries import Customer

_PLAIN = ("version", "registered_at", "first_seen", "last_seen", "events")

_encoder = msgspec.json.Encoder()
_traits = msgspec.json.Decoder(dict[str, Raw])


class Change(Struct, frozen=True):
    """One part of a customer that is not what it was.

    What was not there has no `before`, and what is there no more has no `after`; neither is null.
    """

    path: Annotated[str, Meta(examples=["traits.plan"])]
    """A field's name, or `traits.<name>`, `consents.<channel>.<topic>`,
    `identities.<identity_id>`.
    """
    before: Annotated[Raw | UnsetType, Meta(examples=["free"])] = UNSET
    after: Annotated[Raw | UnsetType, Meta(examples=["pro"])] = UNSET


def changes_between(before: Customer | None, after: Customer) -> list[Change]:
    """The changes, last what is there no more; all of a customer that was not there is new."""
    old = dict(_parts(before)) if before else {}
    new = dict(_parts(after))
    return [
        Change(".".join(part), old.get(part, UNSET), new.get(part, UNSET))
        for part in (*new, *(part for part in old if part not in new))
        if _bytes(old.get(part)) != _bytes(new.get(part))
    ]


def _parts(customer: Customer) -> Iterator[tuple[tuple[str, ...], Raw]]:
    """Each part that has a value, as JSON; the same value is always the same bytes."""
    for name in _PLAIN:
        value = getattr(customer, name)
        if value is not None:
            yield (name,), _json(value)
    for name, trait in sorted(_traits.decode(customer.traits).items()):
        yield ("traits", name), trait
    for consent in customer.consents:
        yield ("consents", consent.channel, consent.topic), _json(consent)
    for identity in customer.identities:
        yield ("identities", str(identity.identity_id)), _json(identity)


def _json(value: Any) -> Raw:
    return Raw(_encoder.encode(value))


def _bytes(part: Raw | None) -> bytes | None:
    return None if part is None else bytes(part)
