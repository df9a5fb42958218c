"""A script for root: becomes somebody whom PostgreSQL accepts, then the command that it is given.
PostgreSQL refuses to run as user 0.

    python -I -S unprivileged.py namespace|nobody [COMMAND [ARGUMENT...]]

- `namespace`: still root, but seen as `nobody` from inside a user namespace of one user. Files stay
  root's and nothing outside is to be prepared; containers often refuse it.
- `nobody`: really that user. On Linux it keeps one capability, if root has it, to pass the folders
  above the data directory (such as /root): less than root had, and no folder's mode is loosened.

Without a command it only tries, and the exit status tells.
"""

import ctypes
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1

libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace() -> None:
    """Map this user, alone, to `nobody`: initdb wants an id that has a name."""
    outside_uid, outside_gid, nobody = os.geteuid(), os.getegid(), pwd.getpwnam("nobody")
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused")
    process = Path("/proc/self")
    (process / "setgroups").write_text("deny")  # the kernel's condition for mapping groups
    (process / "uid_map").write_text(f"{nobody.pw_uid} {outside_uid} 1")
    (process / "gid_map").write_text(f"{nobody.pw_gid} {outside_gid} 1")


def become_nobody() -> None:
    """Change to `nobody` for good."""
    nobody = pwd.getpwnam("nobody")
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.chdir("/")  # the folder we were started in may be closed to nobody
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if sys.platform == "linux":
        _keep_only(CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    """Give up all capabilities but this, and keep it across exec; it may be missing."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc.capset(header, effective_permitted_inheritable) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def keeping_death_signal(become: Callable[[], None]) -> None:
    """A change of user clears the parent-death signal that a tether has set: set it again."""
    parent, death_signal = os.getppid(), ctypes.c_int()
    if sys.platform == "linux":
        libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(death_signal), 0, 0, 0)
    become()
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended in between
        sys.exit(1)


def _main(way: str, command: list[str]) -> None:
    keeping_death_signal({"namespace": enter_namespace, "nobody": become_nobody}[way])
    if command:
        os.execv(command[0], command)  # noqa: S606 - becoming the command is the purpose


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
