"""Identities by value. A value stands nowhere: the table holds its digest under the secret."""

import re
from typing import LiteralString, Protocol, assert_never
from uuid import UUID, uuid4

from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch
from app.kernel.errors import Erased, InvalidInput
from app.kernel.fingerprint import keyed_digest
from app.kernel.ids import anonymous, check_anonymous_id
from app.modules.customers.events import IdentityKind

MAX_EMAIL_CHARACTERS = 254
MAX_EXTERNAL_CHARACTERS = 200

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_SEPARATORS = re.compile(r"[\s().\-\u2010-\u2015/]")

_FIND = "SELECT identity_id FROM identities WHERE kind = %s AND digest = %s"
# An erased visitor is nobody's: whoever has the device next must not find what its former owner
# did.
_FIND_USABLE = f"""
{_FIND} AND NOT EXISTS (SELECT FROM tombstones WHERE tombstones.customer_id = anonymous_id)
"""
# Of two that create one identity at once, the later answers with what the earlier made. Of an
# erased customer, nothing is kept that senders still tell.
_CREATE = """
INSERT INTO identities (identity_id, kind, digest, anonymous_id)
SELECT new.* FROM (VALUES (%s::uuid, %s, %s::bytea, %s)) AS new (identity_id, kind, digest, who)
WHERE NOT EXISTS (SELECT FROM tombstones WHERE customer_id IN (new.who, %s::text))
ON CONFLICT (kind, digest) DO UPDATE SET kind = excluded.kind
RETURNING identity_id
"""


def normalised(kind: IdentityKind, value: str) -> str:
    """The one way of writing an identity's value, or `InvalidInput` for the field ``value``."""
    match kind:
        case "anonymous":
            return check_anonymous_id(value, field="value")
        case "email":
            return _normalised_email(value)
        case "phone":
            return _normalised_phone(value)
        case "external":
            return _checked_external(value)
        case _:
            assert_never(kind)


def _normalised_email(value: str) -> str:
    email = value.strip().casefold()
    plain = email.isprintable() and len(email) <= MAX_EMAIL_CHARACTERS
    if not plain or not _EMAIL.fullmatch(email):
        raise InvalidInput("an email address looks like name@example.org", field="value")
    return email


def _normalised_phone(value: str) -> str:
    phone = re.sub("^00", "+", _PHONE_SEPARATORS.sub("", value))
    if not _PHONE.fullmatch(phone):
        raise InvalidInput(
            "a phone number has its country's code and 7 to 15 digits, such as +12025550143",
            field="value",
        )
    return phone


def _checked_external(value: str) -> str:
    if not 1 <= len(value) <= MAX_EXTERNAL_CHARACTERS or not value.isprintable():
        raise InvalidInput(
            f"an external id has 1 to {MAX_EXTERNAL_CHARACTERS} printable characters", field="value"
        )
    return value


class IdentityIndex(Protocol):
    """Finds identities by value; each raises `InvalidInput` for a value that is none."""

    async def find(self, kind: IdentityKind, value: str) -> UUID | None:
        """The id of the identity, if it has been seen."""
        ...

    async def find_or_create(
        self, kind: IdentityKind, value: str, *, of: str | None = None
    ) -> UUID:
        """The id of the identity, a new one when it was never seen, for a customer to be linked."""
        ...


class Identities:
    """The identities of a store, in its erasable table."""

    def __init__(self, pool: AsyncConnectionPool[Connection], secret: bytes) -> None:
        """Take connections whose search path is the store's schema, and the store's secret."""
        self._pool = pool
        self._secret = secret

    async def find(self, kind: IdentityKind, value: str) -> UUID | None:
        """The id of the identity, if it has been seen; `InvalidInput`, `StoreUnavailable`."""
        return await self._identity_id(_FIND, kind, self._digest(kind, normalised(kind, value)))

    async def find_or_create(
        self, kind: IdentityKind, value: str, *, of: str | None = None
    ) -> UUID:
        """The id of the identity; however many ask for a new one at once, all get the same.

        Raises `InvalidInput`, `Erased` for a visitor or a customer who was, or `StoreUnavailable`.
        """
        value = normalised(kind, value)
        digest = self._digest(kind, value)
        found = await self._identity_id(_FIND_USABLE, kind, digest)
        if found:
            return found
        identity_id = uuid4()
        anonymous_id = anonymous(value) if kind == "anonymous" else None
        created = await self._identity_id(_CREATE, identity_id, kind, digest, anonymous_id, of)
        if created is None:
            raise Erased("the customer or the visitor was erased, and can not be linked")
        return created

    def _digest(self, kind: IdentityKind, value: str) -> bytes:
        return keyed_digest(self._secret, "identity", kind, value)

    async def _identity_id(self, statement: LiteralString, *values: object) -> UUID | None:
        rows = await fetch(self._pool, statement, values)
        return rows[0][0] if rows else None
