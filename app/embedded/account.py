"""Whom PostgreSQL runs as: the user who started us, unless that is root, whom it refuses."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import EmbeddedError

_UNPRIVILEGED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("unprivileged.py")))


@dataclass(frozen=True)
class Account:
    """What stands before a command to run it as somebody PostgreSQL accepts, and who owns its
    files then, as seen from here.
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def command(self, *command: str) -> list[str]:
        """The command line that runs `command` under this account, in the C locale whatever the
        environment says: its complaints are read, and macOS wants a valid one to start at all.
        """
        return [*self.prefix, "/usr/bin/env", "LC_ALL=C", *command]

    def own(self, folder: Path) -> None:
        """Give a folder of ours to this account, with all that is in it."""
        if folder.stat().st_uid == self.uid:
            return
        for path in (*folder.rglob("*"), folder):  # itself last: its owner says that all is done
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def find_account() -> Account:
    """Root prefers a user namespace, where files stay its own; see `unprivileged.py`."""
    if os.geteuid() != 0:
        return Account((), os.geteuid(), os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no user nobody: use another user"
        ) from None
    in_namespace = (*_UNPRIVILEGED, "namespace")
    if subprocess.run(in_namespace, capture_output=True, check=False, timeout=60).returncode == 0:  # noqa: S603 - our own script
        return Account(in_namespace, os.geteuid(), os.getegid())
    return Account((*_UNPRIVILEGED, "nobody"), nobody.pw_uid, nobody.pw_gid)
