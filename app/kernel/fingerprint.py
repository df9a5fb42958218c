"""Keyed digests: what tells two things apart without saying what they are."""

import hmac

FINGERPRINT_BYTES = 16

_LENGTH_BYTES = 8


def keyed_digest(secret: bytes, *parts: str | bytes) -> bytes:
    """HMAC-SHA256 (32 bytes) of the parts under the store's secret.

    Each part goes in behind its length, so no two lists of parts give one message.
    """
    framed = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        framed += len(raw).to_bytes(_LENGTH_BYTES)
        framed += raw
    return hmac.digest(secret, framed, "sha256")


def fingerprint(secret: bytes, *parts: str | bytes) -> str:
    """The first 16 bytes of the keyed digest, in 32 hexadecimal digits.

    A request's is made of its method, its path and its body as sent.
    """
    return keyed_digest(secret, *parts)[:FINGERPRINT_BYTES].hex()
