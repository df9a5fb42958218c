"""Who a request comes from: its ``Authorization`` header, understood and believed or refused.

A credential that was found good is believed for `BELIEVED_FOR` without asking the store again, so
that is how long a key may still be let in that was revoked by another process.
"""

import asyncio
import base64
import binascii
import hmac
from collections import OrderedDict
from datetime import datetime, timedelta
from time import monotonic

from msgspec import Struct

from app.eventstore.database import to_its_end
from app.http.access import Unauthenticated
from app.http.asgi import AnyScope
from app.http.context import context_of
from app.kernel.clock import Clock
from app.kernel.principal import Principal
from app.security.api_key import ApiKey, parse_api_key
from app.security.customer_tokens import CustomerTokens, is_customer_token
from app.security.decider import StoredKey
from app.security.keys import Keys
from app.security.openid import OpenIdTokens
from app.security.signed_token import parse_token
from app.security.uses import KeyUses

BELIEVED_FOR = timedelta(seconds=2)
MAX_BELIEVED = 10_000

_BELIEVED_FOR_S = BELIEVED_FOR.total_seconds()


class _Believed(Struct, frozen=True):
    """Whose a credential is, and until when that need not be asked again (by `monotonic`)."""

    principal: Principal
    until: float


class Authentication:
    """Knows credentials, as ``Bearer`` or as the user name of ``Basic``.

    API keys, customer tokens and the tokens of an OpenID provider are told apart by their form.
    """

    def __init__(
        self,
        keys: Keys,
        uses: KeyUses,
        *,
        customer_tokens: CustomerTokens,
        openid_tokens: OpenIdTokens | None = None,
        secret: bytes,
        environment: str,
        clock: Clock,
    ) -> None:
        """Take where keys are looked up, what their digests are made with, and who knows tokens."""
        self._keys = keys
        self._uses = uses
        self._customer_tokens = customer_tokens
        self._openid_tokens = openid_tokens
        self._secret = secret
        self._environment = environment
        self._clock = clock
        # By credential: of headers, one key has as many as somebody cares to write, of any length.
        self._believed: OrderedDict[str, _Believed] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Principal]] = {}

    def believed(self, scope: AnyScope) -> Principal | None:
        """See `app.http.access.Gate.believed`."""
        believed = self._believed.get(_credential_of(scope))
        if believed is None or monotonic() >= believed.until:
            return None
        return believed.principal

    async def admit(self, scope: AnyScope) -> Principal:
        """See `app.http.access.Gate.admit`.

        Raises `StoreUnavailable` and `ProviderUnavailable` as well.
        """
        return self.believed(scope) or await self._ask_once(_credential_of(scope))

    async def _ask_once(self, credential: str) -> Principal:
        """Many requests that come with one credential at a time have it looked up once."""
        asking = self._asking.get(credential)
        if asking is None:
            asking = self._asking[credential] = asyncio.create_task(self._ask(credential))
            asking.add_done_callback(lambda _: self._asking.pop(credential, None))
        return await to_its_end(asking)

    async def _ask(self, credential: str) -> Principal:
        until = monotonic() + _BELIEVED_FOR_S
        principal, ends_at = await self._owner_of(credential)
        if ends_at is not None:
            until = min(until, monotonic() + (ends_at - self._clock()).total_seconds())
        self._believed[credential] = _Believed(principal, until)
        self._believed.move_to_end(credential)
        if len(self._believed) > MAX_BELIEVED:
            self._believed.popitem(last=False)
        return principal

    async def _owner_of(self, credential: str) -> tuple[Principal, datetime | None]:
        """Whose the credential is, and when it ends."""
        key = parse_api_key(credential)
        if key is not None and key.environment == self._environment:
            return await self._owner_of_key(key)
        token = parse_token(credential)
        if token is not None and is_customer_token(token):
            return self._customer_tokens.owner_of(token)
        if token is not None and self._openid_tokens is not None:
            return await self._openid_tokens.owner_of(token)
        raise Unauthenticated("the credential is no API key of this environment, and no token")

    async def _owner_of_key(self, key: ApiKey) -> tuple[Principal, datetime | None]:
        stored = await self._keys.stored(key.key_id)
        now = self._clock()
        # The same answer, whatever it is that is wrong: nobody learns which ids there are.
        if (
            not isinstance(stored, StoredKey)
            or not hmac.compare_digest(stored.digest, key.digest(self._secret))
            or not stored.is_valid(now)
        ):
            raise Unauthenticated("the API key is not valid, or not any more")
        self._uses.note(key.key_id, now)
        principal = Principal(stored.owner, f"key:{key.key_id}", stored.scopes)
        return principal, stored.expires_at


def _credential_of(scope: AnyScope) -> str:
    header = context_of(scope).headers.get(b"authorization")
    if header is None:
        raise Unauthenticated("send an API key or a token: Authorization: Bearer …")
    return credential_in(header)


def credential_in(header: bytes) -> str:
    """The credential of an ``Authorization`` header (RFC 6750; RFC 7617, its user name).

    Raises `Unauthenticated` for what is neither.
    """
    scheme, _, rest = header.partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.strip().decode("latin-1")
        case b"basic":
            try:
                user, _, _ = base64.b64decode(rest.strip(), validate=True).partition(b":")
            except binascii.Error:
                raise Unauthenticated("the Authorization header is not Base64") from None
            return user.decode("latin-1")
        case _:
            raise Unauthenticated("send Authorization: Bearer with an API key or a token")
