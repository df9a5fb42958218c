"""Receipts of erasures: what was done, when and where, signed, and nothing of whom.

A receipt's signature is a JSON Web Signature (RFC 7515, compact; EdDSA with Ed25519, RFC 8037) over
its other fields. Its header names the public key, so whoever has been told that key needs nothing
else to check it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct

from app.kernel.errors import InvalidInput
from app.kernel.event import RecordedEvent
from app.kernel.fingerprint import keyed_digest
from app.modules.customers.events import CustomerErased

_TYPE = "tidings-erasure"

_encoder = msgspec.json.Encoder()


class Statement(Struct, frozen=True):
    """What a receipt says."""

    customer: Annotated[str, Meta(examples=["9b1f…"])]
    """HMAC-SHA256 of the customer's id under the store's secret, in hexadecimal."""
    erased_at: datetime
    position: Annotated[int, Meta(examples=[1042])]
    """Of the event `customer.erased`."""
    identities: Annotated[int, Meta(examples=[3])]
    """How many look-ups were deleted."""
    visitors: Annotated[int, Meta(examples=[1])]
    """How many visitors, being the customer, lost their data key with it."""


class Receipt(Statement, frozen=True):
    """A statement, signed."""

    signature: Annotated[str, Meta(examples=["eyJhbGciOiJFZERTQSJ9.eyJ…"])]
    """A compact JSON Web Signature whose payload is the statement."""


class Receipts:
    """Signs and checks receipts with a key that is derived from the store's secret.

    The same erasure has the same receipt, to the last byte, as long as the secret is the same.
    """

    def __init__(self, secret: bytes) -> None:
        """Take the store's secret."""
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(keyed_digest(secret, "erasure receipts"))
        self._public_key = self._key.public_key()
        public = _base64(self._public_key.public_bytes_raw()).decode()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": public}
        self._header = _base64(_encoder.encode({"alg": "EdDSA", "typ": _TYPE, "jwk": jwk}))

    def of(self, customer_id: str, recorded: RecordedEvent, erased: CustomerErased) -> Receipt:
        """The receipt of an erasure that is recorded."""
        statement = Statement(
            self._digest(customer_id),
            recorded.recorded_at,
            recorded.position,
            erased.identities,
            erased.visitors,
        )
        signed = self._header + b"." + _base64(_encoder.encode(statement))
        signature = signed + b"." + _base64(self._key.sign(signed))
        return Receipt(**msgspec.structs.asdict(statement), signature=signature.decode())

    def check(self, text: bytes, customer_id: str | None = None) -> Receipt:
        """The receipt, which is this store's and, if one is given, this customer's.

        Raises `InvalidInput` for what is none.
        """
        try:
            receipt = msgspec.json.decode(text, type=Receipt)
            signed, _, signature = receipt.signature.encode().rpartition(b".")
            self._public_key.verify(_bytes(signature), signed)
            header, _, payload = signed.partition(b".")
            statement = msgspec.json.decode(_bytes(payload), type=Statement)
        except (msgspec.MsgspecError, InvalidSignature, ValueError):
            raise InvalidInput("it is no receipt of this store") from None
        if header != self._header or statement != _statement_of(receipt):
            raise InvalidInput("it does not say what was signed")
        if customer_id is not None and receipt.customer != self._digest(customer_id):
            raise InvalidInput("it is another customer's")
        return receipt

    def _digest(self, customer_id: str) -> str:
        return keyed_digest(self._secret, "erased customer", customer_id).hex()


def _statement_of(receipt: Receipt) -> Statement:
    fields: list[Any] = [getattr(receipt, name) for name in Statement.__struct_fields__]
    return Statement(*fields)


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _bytes(encoded: bytes) -> bytes:
    return urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
