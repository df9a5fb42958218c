"""Signed tokens (JWT, RFC 7519, in the compact form of RFC 7515): their form, and what they say.

Nothing in a token chooses how it is verified (RFC 8725, section 3.1): which algorithm it is, and
where the keys come from, is for its reader to say.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from jwt import PyJWK, PyJWS, PyJWTError
from jwt.algorithms import AllowedPublicKeys
from msgspec import Struct

from app.http.access import Unauthenticated

MAX_TOKEN_CHARACTERS = 8 * 1024

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NOT_FOR_THE_SENDER_TO_SAY = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u"})
"""Header parameters that name keys, or extensions of which we know none."""

_signatures = PyJWS(options={"enforce_minimum_key_length": True})


class SignedToken(Struct, frozen=True):
    """A token as it came. Until `verify` nothing that it says is believed."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    def verify(self, key: PyJWK | AllowedPublicKeys, algorithm: str) -> None:
        """`Unauthenticated` unless the key has signed the token in this way."""
        try:
            _signatures.decode(self.text, key, [algorithm])
        except PyJWTError:
            raise Unauthenticated("the token's signature is not valid") from None


def parse_token(text: str) -> SignedToken | None:
    """The token, or None for what has not even the form of one.

    Raises `Unauthenticated` when it holds no JSON objects, names one member twice, or brings its
    own idea of how it is to be verified.
    """
    if len(text) > MAX_TOKEN_CHARACTERS or not _FORM.fullmatch(text):
        return None
    header, claims = (_json_object(part) for part in text.split(".")[:2])
    if unfit := sorted(_NOT_FOR_THE_SENDER_TO_SAY & header.keys()):
        raise Unauthenticated(f"the token's header has {', '.join(unfit)}")
    return SignedToken(text, header, claims)


def _json_object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(
            urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode(),
            object_pairs_hook=_members,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unauthenticated("the token is not made of JSON objects")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ on which of two equal names counts; a signer means one thing."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands there twice")
    return members


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
