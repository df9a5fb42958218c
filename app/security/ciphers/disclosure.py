"""The edge: where sealed values are opened for those who may see them, and masked for others."""

from collections.abc import Mapping, Sequence

import structlog
from msgspec import Raw
from msgspec.json import encode

from app.kernel.cipher import MASK, CannotOpen, SealedValue, View
from app.kernel.principal import Principal
from app.security.ciphers.data_key import DataKey
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.walking import NULL, holds_sealed, with_opened

_MASKED = Raw(encode(MASK))
_log = structlog.get_logger(__name__)


class Disclosure:
    """Shows sealed values (`app.kernel.cipher.Discloses`)."""

    def __init__(self, keys: DataKeys) -> None:
        """Take the keys."""
        self._keys = keys

    def to(self, principal: Principal) -> View:
        """Open for ``pii:read``, and for a customer's own token, which gets at nobody else's."""
        if principal.may("pii:read") or principal.customer_id is not None:
            return self.opened
        return _masked

    async def opened(self, values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
        """The view of one who may see everything: of ours, where it is needed."""
        whose = {
            customer_id for customer_id, value in values if customer_id and holds_sealed(value)
        }
        keys: Mapping[str, DataKey | None] = await self._keys.of(whose) if whose else {}
        return [
            with_opened(value, _opener(customer_id, keys.get(customer_id or "")))
            if holds_sealed(value)
            else value
            for customer_id, value in values
        ]


async def _masked(values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
    return [with_opened(value, lambda _field, _sealed: _MASKED) for _, value in values]


class _opener:  # noqa: N801 - called like the function that it is
    """Opens a customer's values; those without a key, or that somebody has altered, are null."""

    def __init__(self, customer_id: str | None, key: DataKey | None) -> None:
        self._customer_id = customer_id
        self._key = key

    def __call__(self, field: str, value: SealedValue) -> Raw:
        if self._key is None:
            return NULL
        try:
            return self._key.open(field, value.tidings)
        except CannotOpen:
            _log.error("sealed_value_not_opened", customer_id=self._customer_id)
            return NULL
