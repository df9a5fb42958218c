"""What a running PostgreSQL says about itself in its cluster: `postmaster.pid`."""

import socket
from pathlib import Path

FILE = "postmaster.pid"
STATUS_LINE = 7


def postmaster_pid(cluster: Path) -> int | None:
    """The process id of the server, which may have died since; None without one."""
    lines = _lines(cluster)
    return int(lines[0]) if lines else None


def is_accepting(cluster: Path, socket_path: str) -> bool:
    """Whether a server runs on the cluster, has recovered and takes connections."""
    lines = _lines(cluster)
    if len(lines) <= STATUS_LINE or lines[STATUS_LINE].strip() != "ready":
        return False
    with socket.socket(socket.AF_UNIX) as probe:  # the file outlives a killed server, this does not
        probe.settimeout(5.0)
        try:
            probe.connect(socket_path)
        except OSError:
            return False
    return True


def _lines(cluster: Path) -> list[str]:
    try:
        return (cluster / FILE).read_text().splitlines()
    except OSError:
        return []
