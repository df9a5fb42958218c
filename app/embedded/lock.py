"""The lock on a data directory: whoever holds it is its owner, and the kernel lets go of it when
the owner ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.errors import AlreadyRunning, EmbeddedError


@contextmanager
def owner_lock(path: Path) -> Iterator[None]:
    """Hold the lock, with this process's id in the file for others to read. The folder is made.

    Children started by exec do not inherit it (Python opens files close-on-exec). The file stays
    when the lock goes: with a file removed and made anew, two could own the folder at once.

    Raises:
        AlreadyRunning: Another process holds it.
        EmbeddedError: The folder cannot be used.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(f"cannot use {path.parent}: {error.strerror}") from error
    try:
        _lock(file, path)
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(file, 20).decode() or "unknown"
        message = f"Tidings is already running on {path.parent} (process {owner})"
        raise AlreadyRunning(message) from None
