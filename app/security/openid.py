"""Tokens of an OpenID provider: whose they are, and what they allow (RFC 7519, RFC 9068)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, ValidationError

from app.http.access import Unauthenticated
from app.kernel.clock import Clock
from app.kernel.principal import SCOPES, Principal
from app.security.provider_keys import ProviderKeys
from app.security.signed_token import SignedToken

LEEWAY = timedelta(seconds=30)
"""How far the provider's clock and ours may be apart."""
MAX_SUBJECT_CHARACTERS = 255
"""OpenID Connect Core 1.0, section 2."""

_LEEWAY_S = LEEWAY.total_seconds()
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Of tokens that let somebody in; others of a provider, such as of a logout, are not for that."""

Time = Annotated[float, Meta(ge=0, le=datetime(9999, 1, 1, tzinfo=UTC).timestamp())]
"""Seconds since 1970."""


class Trust(Struct, frozen=True):
    """Whose tokens are believed, and how they are read."""

    issuer: str
    audience: str
    algorithm: str
    scopes_claim: str


class _Claims(Struct, frozen=True):
    iss: str
    aud: str | Sequence[str]
    sub: str
    exp: Time
    iat: Time
    nbf: Time = 0


class OpenIdTokens:
    """Knows the tokens of one provider."""

    def __init__(self, trust: Trust, keys: ProviderKeys, clock: Clock) -> None:
        """Take whom to trust, and where the provider's keys are found."""
        self._trust = trust
        self._keys = keys
        self._clock = clock

    async def owner_of(self, token: SignedToken) -> tuple[Principal, datetime]:
        """Whose the token is, and when it ends.

        Raises `Unauthenticated`, and `ProviderUnavailable`. What it says is looked at first, so
        that the provider is asked for keys only on behalf of tokens that could be its own.
        """
        key_id = self._key_id(token.header)
        claims = _claims_of(token)
        self._check(claims)
        token.verify(await self._keys.key(key_id), self._trust.algorithm)
        scopes = scopes_in(token.claims.get(self._trust.scopes_claim))
        principal = Principal(f"oidc:{claims.sub}", f"jwt:{claims.sub}", scopes)
        return principal, datetime.fromtimestamp(claims.exp, UTC)

    def _key_id(self, header: Mapping[str, Any]) -> str:
        if header.get("alg") != self._trust.algorithm:
            raise Unauthenticated(f"the token is not signed with {self._trust.algorithm}")
        if str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise Unauthenticated("the token is not of a type that lets anybody in")
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise Unauthenticated("the token does not say with which key it is signed (kid)")
        return key_id

    def _check(self, claims: _Claims) -> None:
        now = self._clock().timestamp()
        if claims.iss != self._trust.issuer:
            raise Unauthenticated("the token is of another issuer")
        if self._trust.audience not in _several(claims.aud):
            raise Unauthenticated("the token is for another audience")
        if now >= claims.exp + _LEEWAY_S:
            raise Unauthenticated("the token has ended")
        if now < max(claims.iat, claims.nbf) - _LEEWAY_S:
            raise Unauthenticated("the token is not valid yet")
        if not 1 <= len(claims.sub) <= MAX_SUBJECT_CHARACTERS or not claims.sub.isprintable():
            raise Unauthenticated("the token's sub is not 1 to 255 printable characters")


def scopes_in(claim: Any) -> frozenset[str]:
    """The scopes that a claim names: words in a text (RFC 8693, section 4.2), or a list of them.

    What is no scope of ours is left out; so is ``*``, for what is to come is not for a provider
    to give away unnamed.
    """
    words = claim.split() if isinstance(claim, str) else claim
    return frozenset(SCOPES).intersection(
        word for word in (words if isinstance(words, list) else ()) if isinstance(word, str)
    )


def _several(audience: str | Sequence[str]) -> Sequence[str]:
    return [audience] if isinstance(audience, str) else audience


def _claims_of(token: SignedToken) -> _Claims:
    try:
        return msgspec.convert(token.claims, _Claims)
    except ValidationError as error:
        raise Unauthenticated(f"the token's claims: {error}") from None
