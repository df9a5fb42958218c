"""Listening sockets that outlive the workers they are for: while a worker restarts, connections
queue instead of being refused.
"""

import errno
import os
import socket
import sys
from typing import Any

from app.supervisor.errors import CannotListen

BACKLOG_CONNECTIONS = 2048


def listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """A listening socket for each worker, in order; to be passed on by their file descriptors.

    On Linux each has its own, and the kernel spreads the connections evenly; elsewhere it is the
    same one. With port 0 the system chooses a free one, the same for all.

    Raises:
        CannotListen: The port is in use, or the address is not ours.
    """
    family, address = _resolve(host, port)
    first = _bound(family, address, host)
    if sys.platform != "linux" or workers == 1:
        sockets = [first] * workers
    else:
        # Bound alone, it has proven that nobody else listens there; from now on it is shared.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        others = [_bound(family, first.getsockname(), host, shared=True) for _ in range(1, workers)]
        sockets = [first, *others]
    for one in sockets:
        one.listen(BACKLOG_CONNECTIONS)
    return sockets


def _resolve(host: str, port: int) -> tuple[int, Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"cannot listen on {host!r}: {error.strerror}") from None
    family, _, _, _, address = found[0]
    return family, address


def _bound(family: int, address: Any, host: str, *, shared: bool = False) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    # Connections of an earlier run that are still closing do not count as use.
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        one.bind(address)
    except OSError as error:
        one.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"port {address[1]} on {host} is already in use") from None
        reason = os.strerror(error.errno or 0)
        raise CannotListen(f"cannot listen on {host}, port {address[1]}: {reason}") from None
    return one
