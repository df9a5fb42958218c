"""The folder of PostgreSQL's Unix socket. It stands outside the data directory, for a socket's path
may have about 100 bytes, and a data directory's path any number.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "tidings-"


def make_socket_dir(former: Path | None, uids: set[int]) -> Path:
    """A folder that only its owner may enter: the `former` one if it is still there, else new.

    Only a folder of ours (owned by one of `uids`) is used again: names in /tmp are anyone's.
    """
    if former is not None and _is_private(former, uids):
        return former
    short = "/tmp"  # noqa: S108 - mkdtemp's folders are private, and $TMPDIR may be long
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=short if os.access(short, os.W_OK) else None))


def remove_socket_dir(folder: Path) -> None:
    """Remove it; what is left of it hurts nobody."""
    shutil.rmtree(folder, ignore_errors=True)


def _is_private(folder: Path, uids: set[int]) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    is_directory, mode = stat.S_ISDIR(status.st_mode), stat.S_IMODE(status.st_mode)
    return is_directory and mode == stat.S_IRWXU and status.st_uid in uids
