"""The keys that an OpenID provider signs with, found by OpenID Connect Discovery 1.0 and cached.

They are asked for when a token names a key that is not known, and now and then so that a key which
the provider has withdrawn does not stay. However many tokens come, and whatever they name, the
provider is asked once in `ASKED_AT_MOST_EVERY`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import Any, TypeVar

import aiohttp
import structlog
from jwt import PyJWK, PyJWTError
from msgspec import Struct
from msgspec.json import Decoder

from app.http.access import Unauthenticated
from app.http.decoding import decode_json
from app.kernel.errors import InvalidInput, ProviderUnavailable, named_line

ASKED_AT_MOST_EVERY = timedelta(seconds=10)
FRESH_FOR = timedelta(minutes=10)
USABLE_FOR = timedelta(hours=1)
"""How long keys are believed while the provider does not answer."""
MAX_ASKING = timedelta(seconds=5)
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 100

KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that a provider may sign with, and the keys that they take: type and curve
(RFC 7518, RFC 8037).
"""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class _Unusable(Exception):
    """What the provider answers is not what it should be."""


class _Discovery(Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _KeySet(Struct, frozen=True):
    keys: Sequence[Mapping[str, Any]]


_discovery = Decoder(_Discovery)
_key_set = Decoder(_KeySet)


class ProviderKeys:
    """The keys of one provider, for one algorithm."""

    def __init__(self, issuer: str, algorithm: str) -> None:
        """Nothing is asked of the provider before a key is wanted."""
        self._issuer = issuer
        self._algorithm = algorithm
        self._keys: Mapping[str, PyJWK] = {}
        self._answered_at: float | None = None
        self._asking: asyncio.Task[bool] | None = None
        self._asked_at = 0.0

    async def key(self, key_id: str) -> PyJWK:
        """The key of this id.

        Raises `Unauthenticated` when the provider has no such key, and `ProviderUnavailable` when
        it does not say so.
        """
        if key_id in self._keys and self._is_younger_than(USABLE_FOR):
            if not self._is_younger_than(FRESH_FOR):
                self._ask()
            return self._keys[key_id]
        has_answered = await asyncio.shield(self._ask())
        if not has_answered:
            raise ProviderUnavailable
        if key_id not in self._keys:
            raise Unauthenticated("the token is signed with a key that the provider does not have")
        return self._keys[key_id]

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _is_younger_than(self, age: timedelta) -> bool:
        answered_at = self._answered_at
        return answered_at is not None and monotonic() - answered_at < age.total_seconds()

    def _ask(self) -> "asyncio.Task[bool]":
        """Ask the provider, unless that is being done or was a moment ago."""
        since_s = monotonic() - self._asked_at
        if self._asking is None or (
            self._asking.done() and since_s >= ASKED_AT_MOST_EVERY.total_seconds()
        ):
            self._asked_at = monotonic()
            self._asking = asyncio.create_task(self._fetch())
        return self._asking

    async def _fetch(self) -> bool:
        """Take the keys that the provider has now; False, and the former stay, when it fails."""
        try:
            self._keys = usable_keys(await self._published(), self._algorithm)
        except (aiohttp.ClientError, TimeoutError, InvalidInput, _Unusable) as error:
            _log.warning("openid_keys_unavailable", issuer=self._issuer, error=named_line(error))
            return False
        self._answered_at = monotonic()
        return True

    async def _published(self) -> Sequence[Mapping[str, Any]]:
        # Compressed, a document could be far larger than what is counted.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(MAX_ASKING.total_seconds()),
            aiohttp.ClientSession(headers=headers, auto_decompress=False) as web,
        ):
            place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await _document(web, place, _discovery)
            if found.issuer != self._issuer:
                raise _Unusable("the document found there is of another issuer")
            if self._issuer.startswith("https:") and not found.jwks_uri.startswith("https:"):
                raise _Unusable("the provider's keys are not behind https")
            return (await _document(web, found.jwks_uri, _key_set)).keys


async def _document(web: aiohttp.ClientSession, url: str, decoder: Decoder[T]) -> T:
    async with web.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise _Unusable(f"it is answered with {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise _Unusable(f"it is larger than {MAX_DOCUMENT_BYTES} bytes")
        return decode_json(decoder, bytes(body))


def usable_keys(published: Sequence[Mapping[str, Any]], algorithm: str) -> dict[str, PyJWK]:
    """Of a key set (RFC 7517), by id: those that are for signatures of this algorithm."""
    keys: dict[str, PyJWK] = {}
    for jwk in published[:MAX_KEYS]:
        key_id = jwk.get("kid")
        if isinstance(key_id, str) and key_id not in keys and _is_for(jwk, algorithm):
            try:
                keys[key_id] = PyJWK(dict(jwk), algorithm)
            except PyJWTError as error:
                _log.warning("openid_key_unusable", error=type(error).__name__)
    return keys


def _is_for(jwk: Mapping[str, Any], algorithm: str) -> bool:
    return (
        (jwk.get("kty"), jwk.get("crv")) == KEY_TYPES[algorithm]
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
        and "d" not in jwk  # a private key that was published is everybody's
    )


@asynccontextmanager
async def opened_provider_keys(issuer: str, algorithm: str) -> AsyncIterator[ProviderKeys]:
    """The keys of a provider, for the time of the block."""
    keys = ProviderKeys(issuer, algorithm)
    try:
        yield keys
    finally:
        await keys.close()
