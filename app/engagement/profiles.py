"""Customers as rules see them: folded from their own streams, up to a position of the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from app.engagement.state import Profile
from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.event import Event, RecordedEvent
from app.kernel.ids import stream_name
from app.modules.customers.decider import CUSTOMER, Consent, Customer
from app.modules.suppressions.decider import SUPPRESSION, Suppressions

PAGE_EVENTS = 1_000

PROFILE_TYPES = frozenset(
    event_type.tag for decider in (CUSTOMER, SUPPRESSION) for event_type in decider.events
)
"""The events that change profiles."""

_CUSTOMER = f"{CUSTOMER.category}-"
_SUPPRESSION = f"{SUPPRESSION.category}-"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[Customer, Suppressions])


class Known(Struct, frozen=True):
    """What is known of a customer."""

    customer: Customer
    suppressions: Suppressions
    profile: Profile


def nobody(customer_id: str) -> Known:
    """A customer of whom nothing was recorded."""
    return Known(CUSTOMER.initial, SUPPRESSION.initial, Profile(customer_id))


def encoded_known(known: Known) -> bytes:
    """What is known of a customer, for `decoded_known`; empty where that is nothing."""
    if known.customer is CUSTOMER.initial and known.suppressions is SUPPRESSION.initial:
        return b""
    return _encoder.encode((known.customer, known.suppressions))


def decoded_known(customer_id: str, encoded: bytes) -> Known:
    """What is known of a customer."""
    if not encoded:
        return nobody(customer_id)
    customer, suppressions = _decoder.decode(encoded)
    return Known(customer, suppressions, _profile(customer_id, customer, suppressions))


def whose(stream: str) -> str:
    """Whose profile a stream of `PROFILE_TYPES` is of."""
    return stream.removeprefix(_CUSTOMER if stream.startswith(_CUSTOMER) else _SUPPRESSION)


def evolved(known: Known, event: Event) -> Known:
    """What is known after an event of one of `PROFILE_TYPES`."""
    return _evolved(known, [event])


class Profiles:
    """Reads what is known of customers."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        """Take where it is read."""
        self._store = store
        self._codec = codec

    async def load(self, customer_ids: Iterable[str], upto: int) -> dict[str, Known]:
        """What was known of each when the log ended at a position."""
        found: dict[str, list[Event]] = {customer_id: [] for customer_id in customer_ids}
        ask: Mapping[str, int] = {
            stream_name(decider.category, customer_id): 0
            for customer_id in found
            for decider in (CUSTOMER, SUPPRESSION)
        }
        while ask:
            page = await self._store.read_streams(ask, limit=PAGE_EVENTS)
            for recorded in page:
                if recorded.position <= upto:
                    found[whose(recorded.stream)].append(self._codec.decode(recorded))
            ask = _behind(page)
        return {
            customer_id: _evolved(nobody(customer_id), events)
            for customer_id, events in found.items()
        }


def _behind(page: Sequence[RecordedEvent]) -> Mapping[str, int]:
    """The streams that may have more, and after which version."""
    counts: dict[str, int] = {}
    versions: dict[str, int] = {}
    for recorded in page:
        counts[recorded.stream] = counts.get(recorded.stream, 0) + 1
        versions[recorded.stream] = recorded.version
    return {stream: versions[stream] for stream, count in counts.items() if count == PAGE_EVENTS}


def _evolved(known: Known, events: Sequence[Event]) -> Known:
    if not events:
        return known
    customer, suppressions = known.customer, known.suppressions
    for event in events:
        if event.tag.startswith("suppression."):
            suppressions = SUPPRESSION.evolve(suppressions, event)
        else:
            customer = CUSTOMER.evolve(customer, event)
    return Known(
        customer, suppressions, _profile(known.profile.customer_id, customer, suppressions)
    )


def _profile(customer_id: str, customer: Customer, suppressions: Suppressions) -> Profile:
    traits: Mapping[str, Any] = customer.traits
    return Profile(
        customer_id=customer_id,
        traits=traits,
        consents={
            subject: consent is Consent.GIVEN for subject, consent in customer.consents.items()
        },
        suppressed=frozenset(suppressions.reasons),
        is_registered=customer.registered,
        is_erased=customer.is_erased,
    )
