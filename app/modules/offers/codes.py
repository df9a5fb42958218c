"""The code of an offer: it follows from the offer's id, and tells nothing of it."""

import hmac
from base64 import b32encode
from collections.abc import Callable

CODE_CHARACTERS = 10
"""Of Base32, so 50 bits: nobody guesses one within an offer's life."""


def code_of(secret: bytes) -> Callable[[str], str]:
    """What makes codes of offers' ids, under the store's secret."""

    def code(offer_id: str) -> str:
        digest = hmac.digest(secret, f"offer-code\x1f{offer_id}".encode(), "sha256")
        return b32encode(digest).decode()[:CODE_CHARACTERS]

    return code
