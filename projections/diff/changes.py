"""What is different between two states of a customer, part by part."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from app.kernel.cipher import View, digest_of
from app.kernel.reserved import RESERVED_PREFIX
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
        if _compared(old.get(part)) != _compared(new.get(part))
    ]


async def seen_changes(customer_id: str, changes: Sequence[Change], view: View) -> list[Change]:
    """The changes with what is sealed in them opened, or masked.

    A sealed value is bound to its field's name, so a trait is shown to the view under its name.
    """
    sides = [(change, side) for change in changes for side in ("before", "after")]
    shown = await view([(customer_id, _named(change, side)) for change, side in sides])
    values = iter(map(_value_in, shown))
    return [Change(change.path, next(values), next(values)) for change in changes]


def _named(change: Change, side: str) -> Raw:
    value = getattr(change, side)
    return _json({} if value is UNSET else {change.path.removeprefix("traits."): value})


def _value_in(named: Raw) -> Raw | UnsetType:
    return next(iter(_traits.decode(named).values()), UNSET)


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


def _compared(part: Raw | None) -> bytes | None:
    """What is the same when a part is: nothing is sealed twice in the same way."""
    if part is None or RESERVED_PREFIX.encode() not in bytes(part):
        return None if part is None else bytes(part)
    return bytes(_json(_with_digests(msgspec.json.decode(part))))


def _with_digests(value: Any) -> Any:
    if digest := digest_of(value):
        return {RESERVED_PREFIX: digest}
    match value:
        case dict():
            return {name: _with_digests(inner) for name, inner in value.items()}
        case list():
            return [_with_digests(inner) for inner in value]
        case _:
            return value
