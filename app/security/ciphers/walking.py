"""Through JSON, one level at a time: what is not touched stays as it is, byte for byte."""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from app.kernel.cipher import SealedValue
from app.kernel.reserved import RESERVED_PREFIX
from app.kernel.sensitive import Names

NULL = Raw(b"null")

_RESERVED = f'"{RESERVED_PREFIX}"'.encode()
_CONTAINERS = (b"{", b"[")
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_sealed = msgspec.json.Decoder(SealedValue)
_encoder = msgspec.json.Encoder()

Change = Callable[[str, Raw], Raw]
"""What becomes of the value of a field."""


def holds_sealed(json: Raw) -> bool:
    """Whether JSON may hold sealed values; nothing else has their key."""
    return _RESERVED in bytes(json)


def sealed_value(json: Raw) -> SealedValue | None:
    """The sealed value that JSON is; None for anything else."""
    if not holds_sealed(json):
        return None
    try:
        return _sealed.decode(json)
    except msgspec.DecodeError:
        return None


def with_sealed(json: Raw, names: Names, seal: Change) -> Raw:
    """JSON with the values of sensitive names changed, whole, at any depth.

    A null stays: it says that there is nothing. So does what is sealed already.
    """
    text = bytes(json)
    if not text.startswith(_CONTAINERS) or not names.may_occur_in(text):
        return json
    if text.startswith(b"["):
        items = _array.decode(json)
        return Raw(_encoder.encode([with_sealed(item, names, seal) for item in items]))
    fields = _object.decode(json)
    for name, value in fields.items():
        if name not in names:
            if bytes(value).startswith(_CONTAINERS):  # spares most values a call
                fields[name] = with_sealed(value, names, seal)
        elif bytes(value) != b"null" and not sealed_value(value):
            fields[name] = seal(name, value)
    return Raw(_encoder.encode(fields))


def with_opened(json: Raw, opened: Callable[[str, SealedValue], Raw]) -> Raw:
    """JSON with each sealed value, at any depth, become what its field's name and it lead to."""
    if not holds_sealed(json):
        return json

    def change(name: str, value: Raw) -> Raw:
        sealed = sealed_value(value)
        # What was sealed whole may hold what had been sealed before.
        return with_opened(opened(name, sealed) if sealed else value, opened)

    return _changed(json, change, lambda value: with_opened(value, opened))


def with_fields(json: Raw, change: Change) -> Raw:
    """A JSON object with each of its own fields changed."""
    return _changed(json, change, lambda item: item)


def _changed(json: Raw, change: Change, change_item: Callable[[Raw], Raw]) -> Raw:
    match bytes(json)[:1]:
        case b"{":
            fields = _object.decode(json).items()
            return Raw(_encoder.encode({name: change(name, value) for name, value in fields}))
        case b"[":
            return Raw(_encoder.encode([change_item(item) for item in _array.decode(json)]))
        case _:
            return json
