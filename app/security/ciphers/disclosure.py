"""The edge: where sealed values are opened for those who may see them, and masked for others."""

from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import Raw
from msgspec.json import encode

from app.kernel.cipher import MASK, CannotOpen, Sealed, SealedValue, View
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
        """Open for ``pii:read`` alone, which a customer's token has from whoever asked for it."""
        return self.opened if principal.may("pii:read") else _masked

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


def _opener(customer_id: str | None, key: DataKey | None) -> Callable[[str, SealedValue], Raw]:
    """Opens a customer's values; those without a key, or that somebody has altered, are null."""

    def opened(field: str, value: SealedValue) -> Raw:
        if key is None:
            return NULL
        try:
            return _open(key, field, value.tidings)
        except CannotOpen:
            _log.error("sealed_value_not_opened", customer_id=customer_id)
            return NULL

    return opened


def _open(key: DataKey, field: str, sealed: Sealed) -> Raw:
    """Decisions note what they have seen by its whole name, such as ``profile.traits.email``."""
    try:
        return key.open(field, sealed)
    except CannotOpen:
        _, dot, last = field.rpartition(".")
        if not dot:
            raise
        return key.open(last, sealed)
