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

from app.http.access import Unauthenticated
from app.http.asgi import AnyScope
from app.http.context import context_of
from app.kernel.clock import Clock
from app.kernel.principal import Principal
from app.security.api_key import ApiKey, parse_api_key
from app.security.decider import StoredKey
from app.security.keys import Keys
from app.security.uses import KeyUses

BELIEVED_FOR = timedelta(seconds=2)
MAX_BELIEVED = 10_000

_BELIEVED_FOR_S = BELIEVED_FOR.total_seconds()


class _Believed(Struct, frozen=True):
    """Whose a header is, and until when that need not be asked again (by `monotonic`)."""

    principal: Principal
    until: float


class Authentication:
    """Knows API keys: as ``Bearer``, or as the user name of ``Basic``."""

    def __init__(
        self, keys: Keys, uses: KeyUses, *, secret: bytes, environment: str, clock: Clock
    ) -> None:
        """Take where keys are looked up, and what their digests are made with."""
        self._keys = keys
        self._uses = uses
        self._secret = secret
        self._environment = environment
        self._clock = clock
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    async def admit(self, scope: AnyScope) -> Principal:
        """See `app.http.access.Gate.admit`; raises `StoreUnavailable` as well."""
        header = context_of(scope).headers.get(b"authorization")
        if header is None:
            raise Unauthenticated("send an API key: Authorization: Bearer tdg_…")
        believed = self._believed.get(header)
        if believed is not None and monotonic() < believed.until:
            return believed.principal
        return await self._ask_once(header, credential_in(header))

    async def _ask_once(self, header: bytes, credential: str) -> Principal:
        """Many requests that come with one credential at a time have it looked up once."""
        asking = self._asking.get(header)
        if asking is None:
            asking = self._asking[header] = asyncio.create_task(self._ask(header, credential))
            asking.add_done_callback(lambda _: self._asking.pop(header, None))
        return await asyncio.shield(asking)

    async def _ask(self, header: bytes, credential: str) -> Principal:
        until = monotonic() + _BELIEVED_FOR_S
        key = parse_api_key(credential)
        if key is None or key.environment != self._environment:
            raise Unauthenticated("the credential is no API key of this environment")
        principal, ends_at = await self._owner_of(key)
        if ends_at is not None:
            until = min(until, monotonic() + (ends_at - self._clock()).total_seconds())
        self._believed[header] = _Believed(principal, until)
        self._believed.move_to_end(header)
        if len(self._believed) > MAX_BELIEVED:
            self._believed.popitem(last=False)
        return principal

    async def _owner_of(self, key: ApiKey) -> tuple[Principal, datetime | None]:
        """Whose the key is, and when it ends."""
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
            raise Unauthenticated("send Authorization: Bearer with an API key")
