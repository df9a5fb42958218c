"""The master keys, under which customers' data keys are wrapped: of the settings, or of a file."""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.kernel.errors import InvalidInput
from app.settings import Settings

MASTER_KEY_FILE = "master-key"
MASTER_KEY_BYTES = 32

_VARIABLE = "TIDINGS_MASTER_KEY"


def read_master_keys(settings: Settings) -> Sequence[bytes]:
    """The master keys, the newest last; a file that is not there yet is made, with mode 0600.

    Raises `InvalidInput` for what is no key.
    """
    if settings.master_key is not None:
        return _parsed(settings.master_key.split(","), _VARIABLE)
    path = _file_of(settings)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = _written(path, [secrets.token_bytes(MASTER_KEY_BYTES)])
        with suppress(FileExistsError):  # of two processes that make it at once, one wins
            path.hardlink_to(new)
        new.unlink()
    return _parsed(path.read_text().split(), str(path))


def next_master_keys(settings: Settings) -> Sequence[bytes]:
    """The keys for a rewrap, the one to wrap under last: made in the file, unless one is begun.

    Raises `InvalidInput` where the settings hold one key alone.
    """
    keys = read_master_keys(settings)
    if len(keys) > 1:
        return keys
    if settings.master_key is not None:
        raise InvalidInput("give the new key behind the old one: old,new", field=_VARIABLE)
    keys = [*keys, secrets.token_bytes(MASTER_KEY_BYTES)]
    _replace(settings, keys)
    return keys


def retire_master_keys(settings: Settings) -> None:
    """Destroy all keys of the file but the newest; those of the settings are the operator's."""
    if settings.master_key is None:
        _replace(settings, read_master_keys(settings)[-1:])


def _file_of(settings: Settings) -> Path:
    return settings.master_key_file or settings.data_dir / MASTER_KEY_FILE


def _replace(settings: Settings, keys: Sequence[bytes]) -> None:
    path = _file_of(settings)
    _written(path, keys).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(path: Path, keys: Sequence[bytes]) -> Path:
    """A file beside the path that holds the keys, whole and on the disk."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    with new.open("w") as file:
        file.writelines(f"{key.hex()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return new


def _parsed(texts: Sequence[str], where: str) -> list[bytes]:
    keys = [_key(text.strip()) for text in texts]
    if not keys or None in keys:
        raise InvalidInput(
            f"a master key is {MASTER_KEY_BYTES} bytes in hexadecimal or Base64", field=where
        )
    return [key for key in keys if key]


def _key(text: str) -> bytes | None:
    with suppress(ValueError):
        if len(key := bytes.fromhex(text)) == MASTER_KEY_BYTES:
            return key
    with suppress(binascii.Error, ValueError):
        if len(key := base64.b64decode(text, validate=True)) == MASTER_KEY_BYTES:
            return key
    return None
