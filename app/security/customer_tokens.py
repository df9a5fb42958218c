"""Customer tokens: a customer's own way in, for minutes, to the own data and nothing else.

They are signed (EdDSA with Ed25519, RFC 8037) under a key that is derived from the store's secret,
so every process of the store knows them and nothing about them is stored.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt import PyJWS
from msgspec import Meta, Struct

from app.http.access import Unauthenticated
from app.kernel.clock import Clock
from app.kernel.ids import check_customer_id
from app.kernel.principal import Principal, ScopeName
from app.security.signed_token import SignedToken

MAX_LIFETIME_S = 15 * 60
ALGORITHM = "EdDSA"
TYPE = "tidings-customer+jwt"
"""Says of which kind a token is (RFC 8725, section 3.11)."""

GIVEN_ON: frozenset[ScopeName] = frozenset(
    {
        "accounts:write",
        "customers:read",
        "customers:write",
        "messages:read",
        "messages:write",
        "pii:read",
        "timeline:read",
    }
)
"""What a token has when whoever asked for it has it: nobody sees more by way of a token."""

_KEY_BYTES = 32


class CustomerToken(Struct, frozen=True):
    """A token that was just made."""

    token: Annotated[str, Meta(examples=["eyJhbGciOiJFZERTQSIs…"])]
    customer_id: Annotated[str, Meta(examples=["anna"])]
    expires_at: datetime


class _Claims(Struct, frozen=True):
    sub: str
    iat: int
    exp: int
    scope: str


class CustomerTokens:
    """Makes a store's customer tokens, and knows them again."""

    def __init__(self, secret: bytes, *, store: str, clock: Clock) -> None:
        """Take the store's secret, and the name of the store, to which the tokens are bound."""
        derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"customer tokens {store}".encode())
        self._key = Ed25519PrivateKey.from_private_bytes(derived.derive(secret))
        self._public_key = self._key.public_key()
        self._clock = clock

    def make(self, customer_id: str, lifetime: timedelta, maker: Principal) -> CustomerToken:
        """A token for a customer; `InvalidInput` for an id that no customer can have."""
        check_customer_id(customer_id)
        now = int(self._clock().timestamp())
        scopes = {scope for scope in GIVEN_ON if maker.may(scope)}
        ends = now + int(lifetime.total_seconds())
        claims = msgspec.json.encode(_Claims(customer_id, now, ends, " ".join(sorted(scopes))))
        token = PyJWS().encode(claims, self._key, ALGORITHM, headers={"typ": TYPE})
        return CustomerToken(token, customer_id, datetime.fromtimestamp(ends, UTC))

    def owner_of(self, token: SignedToken) -> tuple[Principal, datetime]:
        """Whose the token is, and when it ends. Raises `Unauthenticated`."""
        token.verify(self._public_key, ALGORITHM)
        claims = msgspec.convert(token.claims, _Claims)
        ends_at = datetime.fromtimestamp(claims.exp, UTC)
        if self._clock() >= ends_at:
            raise Unauthenticated("the customer's token has ended")
        name = f"customer:{claims.sub}"
        scopes = frozenset(claims.scope.split())
        return Principal(name, name, scopes, customer_id=claims.sub), ends_at


def is_customer_token(token: SignedToken) -> bool:
    """Whether it says that it is one."""
    return token.header.get("typ") == TYPE
