"""A customer's data key: seals values, opens them, and digests them for comparisons."""

import base64
import binascii
import json
import os
from hashlib import blake2b
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from msgspec import Raw

from app.kernel.cipher import CannotOpen, Sealed
from app.kernel.fingerprint import FINGERPRINT_BYTES, keyed_digest

DATA_KEY_BYTES = 32
NONCE_BYTES = 12

_SEPARATOR = "\x1f"
"""Between store, customer and field: neither schemas nor customer ids hold control characters."""


class DataKey:
    """Binds what it seals to a store, a customer and a field, so that it opens nowhere else.

    AES-256-GCM-SIV (RFC 8452) with random nonces, over the value's JSON as it was sent; the digest
    is a keyed BLAKE2b (RFC 7693).
    """

    def __init__(self, secret: bytes, store: str, customer_id: str) -> None:
        """Take the key itself, 32 bytes, and whose it is."""
        self._cipher = AESGCMSIV(secret)
        self._digest = blake2b(key=keyed_digest(secret, "digest"), digest_size=FINGERPRINT_BYTES)
        self._bound = f"{store}{_SEPARATOR}{customer_id}{_SEPARATOR}"

    def seal(self, field: str, value: bytes) -> Sealed:
        """Seal a field's value, which is JSON."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._cipher.encrypt(nonce, value, self._bound_to(field))
        return Sealed(base64.b64encode(nonce + ciphertext).decode(), self._digest_of(field, value))

    def open(self, field: str, sealed: Sealed) -> Raw:
        """The value's JSON. Raises `CannotOpen` for anything that this key has not sealed here."""
        try:
            text = base64.b64decode(sealed.sealed, validate=True)
            nonce, ciphertext = text[:NONCE_BYTES], text[NONCE_BYTES:]
            return Raw(self._cipher.decrypt(nonce, ciphertext, self._bound_to(field)))
        except (InvalidTag, binascii.Error, ValueError):
            raise CannotOpen from None

    def _digest_of(self, field: str, value: bytes) -> str:
        name, digest = field.encode(), self._digest.copy()
        # The length, so that no two pairs give one message.
        digest.update(b"%d:%b%b" % (len(name), name, canonical(value)))
        return digest.hexdigest()

    def _bound_to(self, field: str) -> bytes:
        return f"{self._bound}{field}".encode()


def a_key_that_nobody_keeps(customer_id: str) -> DataKey:
    """For what nobody is ever to open: it belongs to no store, and is forgotten after its use."""
    return DataKey(os.urandom(DATA_KEY_BYTES), "", customer_id)


def canonical(value: bytes) -> bytes:
    """One way of writing JSON: of equal values, the same; 1.0 is 1, and keys stand in order."""
    decoded = msgspec.json.decode(value)
    if isinstance(decoded, str):  # as most are, and much faster
        return msgspec.json.encode(decoded)
    return json.dumps(_whole(decoded), sort_keys=True, separators=(",", ":")).encode()


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(inner) for name, inner in value.items()}
        case list():
            return [_whole(inner) for inner in value]
        case _:
            return value
