"""Master keys, which wrap data keys; the key of one epoch wraps, others are still known."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from app.kernel.cipher import CannotOpen
from app.kernel.errors import InvalidInput, StoreUnavailable
from app.kernel.fingerprint import fingerprint

NONCE_BYTES = 12


class WrongMasterKey(StoreUnavailable):
    """The master key of this process is not the one that the store's data keys are wrapped with."""


class MasterKeys:
    """Master keys that this process holds (`app.kernel.cipher.KeyManagement`).

    AES-256-GCM-SIV (RFC 8452) with random nonces. An epoch is named by a digest of its key.
    """

    def __init__(self, read: Callable[[], Sequence[bytes]]) -> None:
        """Take what reads the keys, 32 bytes each, the newest last; it is asked again for epochs
        that are not known yet.
        """
        self._read = read
        self._ciphers: dict[str, AESGCMSIV] = {}
        self.epoch = self._refreshed()

    def use(self, epoch: str) -> bool:
        """See `KeyManagement.use`."""
        if self._cipher(epoch) is None:
            return False
        self.epoch = epoch
        return True

    def wrap(self, data_key: bytes, bound: bytes) -> bytes:
        """See `KeyManagement.wrap`."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[self.epoch].encrypt(nonce, data_key, bound)

    def unwrap(self, epoch: str, wrapped: bytes, bound: bytes) -> bytes | None:
        """See `KeyManagement.unwrap`."""
        cipher = self._cipher(epoch)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise CannotOpen from None

    def _cipher(self, epoch: str) -> AESGCMSIV | None:
        if epoch not in self._ciphers:
            with suppress(InvalidInput, OSError):  # then what is known has to do
                self._refreshed()
        return self._ciphers.get(epoch)

    def _refreshed(self) -> str:
        """The newest epoch, once the keys have been read again; those that were known stay."""
        keys = self._read()
        self._ciphers |= {epoch_of(key): AESGCMSIV(key) for key in keys}
        return epoch_of(keys[-1])


def epoch_of(key: bytes) -> str:
    """The name of a master key's epoch, which tells nothing of the key."""
    return fingerprint(key, "epoch")
