"""The store's secret, under which identities and fingerprints are digested."""

import os
import secrets
from contextlib import suppress

from app.settings import Settings

SECRET_FILE = "secret"  # noqa: S105 - the name of the file
SECRET_BYTES = 32


def read_secret(settings: Settings) -> bytes:
    """The secret of the settings, else of the data directory, made there on first use.

    The file is written whole under another name first, with mode 0600, so that of two processes
    that make it at once one wins and both read the same.
    """
    if settings.secret is not None:
        return settings.secret.encode()
    path = settings.data_dir / SECRET_FILE
    if not path.exists():
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = settings.data_dir / f"{SECRET_FILE}.{os.getpid()}"
        new.touch(mode=0o600)
        new.write_text(secrets.token_hex(SECRET_BYTES))
        with suppress(FileExistsError):
            path.hardlink_to(new)
        new.unlink()
    return path.read_bytes().strip()
