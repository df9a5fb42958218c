"""An event as a sender says it, and how it becomes one of the log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import UNSET, Meta, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from app.eventstore.port import Append, StreamAppend
from app.http.body import with_whole_pairs
from app.http.decoding import decode_json
from app.kernel.clock import Clock, in_utc
from app.kernel.declared import NOTHING_DECLARED, DeclaredTypes
from app.kernel.errors import InputTooLarge, InvalidInput
from app.kernel.event import ACTIVITY, EventCatalogue, Metadata, NewEvent
from app.kernel.fingerprint import fingerprint
from app.kernel.ids import (
    anonymous,
    check_anonymous_id,
    check_customer_id,
    derived_event_id,
    new_event_id,
    stream_name,
)
from app.kernel.reserved import RESERVED_PREFIX, path_of_reserved_name
from app.modules.interactions.quarantine import Misfit

MAX_EVENT_BYTES = 64 * 1024
MAX_TYPE_CHARACTERS = 200
MAX_KEY_CHARACTERS = 200
MAX_AHEAD = timedelta(days=1)

_RESERVED_PREFIX = RESERVED_PREFIX.encode()

# Numbers, as in `app.http.body`: a byte is found fastest by its number.
_DOLLAR = ord("$")
_BACKSLASH = ord("\\")

Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339, with an offset.")]


class IncomingEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened to a customer, or to a visitor who is not known yet."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TYPE_CHARACTERS,
            description="What happened, in the sender's words; not a built-in type.",
            examples=["Product Added"],
        ),
    ]
    data: Annotated[
        Raw,
        Meta(
            description="Anything more about it: an object.",
            examples=[{"sku": "A-7", "price": 12.5}],
            extra_json_schema={"extra": {"type": "object"}},
        ),
    ]
    id: Annotated[
        str | UnsetType,
        Meta(
            description="The sender's own id of the event: sent again, it is recorded once.",
            examples=["shop-2026-000317"],
        ),
    ] = UNSET
    customer_id: Annotated[
        str | UnsetType,
        Meta(description="Whose event it is. This or `anonymous_id`.", examples=["anna"]),
    ] = UNSET
    anonymous_id: Annotated[
        str | UnsetType, Meta(description="The visitor whose event it is, by a cookie or device.")
    ] = UNSET
    occurred_at: Annotated[
        Instant | UnsetType,
        Meta(
            description="When it happened, at most a day ahead; else when it is recorded.",
            examples=["2025-03-14T09:30:00+01:00"],
        ),
    ] = UNSET


class EventKey(Struct, frozen=True):
    """By what an event is recognised that comes again."""

    kind: str
    key: str
    ordinal: int = 0


_decoder = Decoder(IncomingEvent)
_array_decoder = Decoder(list[Raw])
_encoder = Encoder()


class Intake:
    """Turns senders' events into appends, each to its customer's activity stream."""

    def __init__(
        self,
        *,
        catalogue: EventCatalogue,
        secret: bytes,
        clock: Clock,
        event_types: DeclaredTypes = NOTHING_DECLARED,
    ) -> None:
        """The secret keys the fingerprints of what is sent."""
        self._catalogue = catalogue
        self._secret = secret
        self._clock = clock
        self._event_types = event_types

    def append_of(
        self, body: bytes, metadata: Metadata, header_key: EventKey | None = None
    ) -> Append:
        """The append that records an event, given as one JSON object.

        The source that the metadata names owns the event's id. An event without an id of its own is
        recognised by `header_key`, or never. Raises `InvalidInput` or `InputTooLarge`, with the
        field's path from the event's root; and `Misfit` when the schema of its type is all that is
        against it.
        """
        check_size(body)
        event = decode_json(_decoder, body)
        is_keyed = header_key is not None or event.id is not UNSET
        mark = fingerprint(self._secret, body) if is_keyed else None
        return self.append_of_event(event, metadata, header_key, mark)

    def append_of_event(
        self, event: IncomingEvent, metadata: Metadata, other_key: EventKey | None, mark: str | None
    ) -> Append:
        """The append that records an event whose JSON has been checked already, on its way here.

        An event without an id of its own is recognised by `other_key`, or never. `mark` is the
        fingerprint of what was sent. Raises `InvalidInput`, with the field's path, and `Misfit`.
        """
        customer_id = _customer_of(event)
        self._check_type(event.type)
        _check_data(event.data)
        key = EventKey("event", _checked_key(event.id)) if event.id is not UNSET else other_key
        new_event = NewEvent(
            event_id=derived_event_id(metadata.source or "", key.kind, key.key, key.ordinal)
            if key
            else new_event_id(),
            type=event.type,
            data=event.data,
            metadata=Raw(
                _encoder.encode(replace(metadata, fingerprint=mark) if mark else metadata)
            ),
            customer_id=customer_id,
            occurred_at=None if event.occurred_at is UNSET else self._when(event.occurred_at),
        )
        stream = stream_name(ACTIVITY, customer_id)
        append = Append((StreamAppend(stream, (new_event,)),), mark)
        if reasons := self._event_types.reasons_against(event.type, event.data):
            raise Misfit(append, reasons)
        return append

    def _check_type(self, event_type: str) -> None:
        # An event that was not decoded from JSON has not met the length in its declaration.
        if not 1 <= len(event_type) <= MAX_TYPE_CHARACTERS:
            raise InvalidInput(f"a type has 1 to {MAX_TYPE_CHARACTERS} characters", field="type")
        if not event_type.isprintable():
            raise InvalidInput("a type has printable characters only", field="type")
        if self._catalogue.is_reserved(event_type):
            raise InvalidInput(
                f"{event_type!r} begins as a built-in type does; name it otherwise", field="type"
            )

    def _when(self, occurred_at: datetime) -> datetime:
        when = in_utc(occurred_at, field="occurred_at")
        if when > self._clock() + MAX_AHEAD:
            raise InvalidInput("the time is more than a day ahead", field="occurred_at")
        return when


def check_size(event: bytes) -> None:
    """`InputTooLarge` for an event, or its data, of more bytes than an event may have."""
    if len(event) > MAX_EVENT_BYTES:
        raise InputTooLarge(f"an event has at most {MAX_EVENT_BYTES} bytes")


def _customer_of(event: IncomingEvent) -> str:
    if event.customer_id is not UNSET:
        if event.anonymous_id is not UNSET:
            raise InvalidInput("give customer_id or anonymous_id, not both", field="anonymous_id")
        return check_customer_id(event.customer_id)
    if event.anonymous_id is UNSET:
        raise InvalidInput("give customer_id or anonymous_id", field="customer_id")
    return anonymous(check_anonymous_id(event.anonymous_id))


def _checked_key(key: str) -> str:
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        raise InvalidInput(f"an id has 1 to {MAX_KEY_CHARACTERS} printable characters", field="id")
    return key


def _check_data(data: Raw) -> None:
    raw = bytes(data)
    if not raw.startswith(b"{"):
        raise InvalidInput("data is an object", field="data")
    # A key can be spelt with escapes; only then is it worth decoding.
    is_suspect = (_DOLLAR in raw and _RESERVED_PREFIX in raw) or (
        _BACKSLASH in raw and b"\\u" in raw
    )
    if is_suspect and (path := path_of_reserved_name(Decoder().decode(raw))):
        raise InvalidInput(
            f"names that begin with {RESERVED_PREFIX} are reserved: data{path}", field="data"
        )


def split_batch(body: bytes, *, max_events: int) -> Sequence[bytes]:
    """The events of a JSON array, each as sent; what is wrong inside one is not looked at.

    Raises `InvalidInput` when the body is no JSON array, `InputTooLarge` when it has too many.
    """
    try:
        events = decode_json(_array_decoder, body)
    except InvalidInput as unfit:
        # Perhaps only some of the events are unfit, and the others can be had.
        try:
            events = _taken_apart(body)
        except (MsgspecError, RecursionError, ValueError):
            raise unfit from None
    if len(events) > max_events:
        raise InputTooLarge(f"a batch has at most {max_events} events")
    return [bytes(event).strip() for event in events]


def _taken_apart(body: bytes) -> list[Raw]:
    """The events of an array of which some are unfit, each as sent."""
    readable = with_whole_pairs(body)
    events, start = [], 0
    for event in map(bytes, _array_decoder.decode(readable)):
        start = readable.index(event, start)
        end = start + len(event)
        events.append(Raw(body[start:end]))
        start = end
    return events
