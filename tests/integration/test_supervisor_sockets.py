"""Listening for workers that come and go."""

import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from app.supervisor import CannotListen, listen

Listen = Callable[..., list[socket.socket]]


@pytest.fixture(name="listen")
def closing_listen() -> Iterator[Listen]:
    opened: list[socket.socket] = []

    def listening(host: str, port: int, workers: int) -> list[socket.socket]:
        sockets = listen(host, port, workers)
        opened.extend(sockets)
        return sockets

    yield listening
    for one in opened:
        one.close()


def waiting(one: socket.socket) -> int:
    """Accepts what has queued up on a socket, and counts it."""
    one.setblocking(False)
    count = 0
    while True:
        try:
            one.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("workers", [1, 3])
def test_connections_queue_before_any_worker_accepts(
    listen: Listen, host: str, workers: int
) -> None:
    sockets = listen(host, 0, workers)
    ports = {one.getsockname()[1] for one in sockets}
    assert len(sockets) == workers
    assert len(ports) == 1
    clients = [socket.create_connection((host, *ports)) for _ in range(60)]
    queued = [waiting(one) for one in dict.fromkeys(sockets)]
    assert sum(queued) == len(clients)
    if sys.platform == "linux":
        assert all(queued), "each worker has its share"
    for client in clients:
        client.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_that_others_listen_on_is_refused_in_one_line(listen: Listen, workers: int) -> None:
    port = listen("127.0.0.1", 0, workers)[0].getsockname()[1]
    for others in (1, 2):
        with pytest.raises(CannotListen, match=rf"^port {port} on 127.0.0.1 is already in use$"):
            listen("127.0.0.1", port, others)


def test_a_port_just_given_up_can_be_listened_on_again(listen: Listen) -> None:
    sockets = listen("127.0.0.1", 0, 2)
    address = sockets[0].getsockname()
    with socket.create_connection(address) as client:
        served = next(one for one in sockets if waiting(one))
        assert served
        for one in sockets:
            one.close()
        assert len(listen(*address, 2)) == 2
        assert client.recv(1) == b""


@pytest.mark.parametrize(("host", "reason"), [("192.0.2.1", "requested address"), ("no host", "")])
def test_an_address_that_is_not_ours_is_refused_in_one_line(
    listen: Listen, host: str, reason: str
) -> None:
    with pytest.raises(CannotListen, match=rf"(?i)^cannot listen on .*{host}.*{reason}.*$"):
        listen(host, 8000, 1)
