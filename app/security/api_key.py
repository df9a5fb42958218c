"""What an API key looks like: ``tdg_<environment>_<key id>_<secret><checksum>``.

The checksum tells a mistyped or made-up key from a real one before anything is looked up, and lets
scanners of source code find keys that leaked without calling every long word one.
"""

import re
import secrets
import string
import zlib

from msgspec import Struct

from app.kernel.fingerprint import keyed_digest

PREFIX = "tdg"
KEY_ID_CHARACTERS = 12
SECRET_CHARACTERS = 32
"""Of 62, which is 190 bits."""
CHECKSUM_CHARACTERS = 6

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORMAT = re.compile(
    rf"{PREFIX}_([a-z]{{1,16}})_([0-9A-Za-z]{{{KEY_ID_CHARACTERS}}})"
    rf"_([0-9A-Za-z]{{{SECRET_CHARACTERS}}})([0-9A-Za-z]{{{CHECKSUM_CHARACTERS}}})"
)


class ApiKey(Struct, frozen=True):
    """A key as its owner holds it."""

    text: str
    environment: str
    key_id: str

    def digest(self, secret: bytes) -> str:
        """All that is stored of it: its HMAC-SHA256 under the store's secret, in hexadecimal."""
        return keyed_digest(secret, "api key", self.text).hex()


def new_api_key(environment: str) -> ApiKey:
    """A fresh key."""
    key_id = _random(KEY_ID_CHARACTERS)
    text = f"{PREFIX}_{environment}_{key_id}_{_random(SECRET_CHARACTERS)}"
    return ApiKey(text + _checksum(text), environment, key_id)


def parse_api_key(text: str) -> ApiKey | None:
    """The key, or None for what cannot be one."""
    found = _FORMAT.fullmatch(text)
    if found is None or found[4] != _checksum(text[:-CHECKSUM_CHARACTERS]):
        return None
    return ApiKey(text, found[1], found[2])


def _random(characters: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(characters))


def _checksum(text: str) -> str:
    """CRC-32 in base 62."""
    rest, digits = zlib.crc32(text.encode()), []
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
