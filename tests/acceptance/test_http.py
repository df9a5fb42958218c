"""HTTP at its edges: what clients offer, break off, or get wrong below the level of requests."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.acceptance.hostile import encoded
from tests.fixtures.api import Answer, raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp

EVENTS = "/v1/events"
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a line feed": b"\n",
    "zeros": b"\0" * 100,
    "a word": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x11" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /v1/events\r\n",
    "HTTP/9.9": b"GET /health/live HTTP/9.9\r\n\r\n",
    "a method of its own": raw_request("BREW", "/v1/events"),
    "a URL with a space": raw_request("GET", "/v1/customers?limit= 5"),
    "a URL in Latin-1": raw_request("GET", "/v1/customers/\xff"),
    "a URL without a slash": raw_request("GET", "v1/customers"),
    "a header without a colon": b"GET /health/live HTTP/1.1\r\nHost x\r\n\r\n",
    "a header with NUL": b"GET /health/live HTTP/1.1\r\nX: \0\r\n\r\n",
    "a folded header": b"GET /health/live HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a negative length": HEAD + b"Content-Length: -2\r\n\r\n{}",
    "a length in words": HEAD + b"Content-Length: two\r\n\r\n{}",
    "a huge length": HEAD + b"Content-Length: %d\r\n\r\n{}" % 10**30,
    "length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks of no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "chunks of negative size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "another transfer encoding": HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "a huge header": b"GET /health/live HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 1_000_000),
    "a huge URL": b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 1_000_000),
    "10,000 headers": b"GET /health/live HTTP/1.1\r\n%s\r\n" % (b"X: y\r\n" * 10_000),
    "a request behind a bad one": b"BAD\r\n\r\n" + raw_request("POST", EVENTS, encoded()),
}


def head_of(url: str) -> int:
    """Where the log ends, by recording one more event."""
    answer = send_bytes(url, raw_request("POST", EVENTS, encoded()))
    assert answer is not None
    position: int = answer.json()["position"]
    return position


def test_garbage_is_refused_or_cut_off_and_no_worker_minds(tidings_up: TidingsUp) -> None:
    workers = tidings_up.children()
    before = head_of(tidings_up.url)
    for name, garbage in GARBAGE.items():
        parts = [garbage[start : start + 50_000] for start in range(0, len(garbage), 50_000)]
        answer = send_bytes(tidings_up.url, *parts, ends=True)
        assert answer is None or answer.status in {200, 400, 404}, name
        assert answer is None or answer.status == 200 or answer.problem, name
    assert head_of(tidings_up.url) == before + 1
    assert tidings_up.children() == workers
    assert "Traceback" not in tidings_up.output()


def test_headers_without_end_are_cut_off(tidings_up: TidingsUp) -> None:
    for more in (b"X: y\r\n" * 10_000, b"x" * 50_000):
        endless = b"GET /health/live HTTP/1.1\r\nX: "
        answer = send_bytes(tidings_up.url, endless, *[more] * 200)
        assert answer is None or answer.code == "invalid-input"


@pytest.mark.parametrize("sent", [b"", b'{"type":'], ids=["headers", "half a body"])
@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_who_goes_away_in_the_middle_records_nothing(
    tidings_up: TidingsUp, length: bytes, sent: bytes
) -> None:
    before = head_of(tidings_up.url)
    chunk = b"%x\r\n%s\r\n" % (len(sent), sent) if sent and b"chunked" in length else sent
    for _ in range(10):
        place = urlsplit(tidings_up.url)
        with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
            connection.sendall(HEAD + length + b"\r\n\r\n" + chunk)
    assert head_of(tidings_up.url) == before + 1


@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.3"])
@pytest.mark.parametrize("parts", [1, 2])
def test_an_offer_to_speak_another_protocol_is_passed_over(
    tidings_up: TidingsUp, offer: str, parts: int
) -> None:
    """Java's HTTP client makes one with each first request."""
    body = encoded(id=str(uuid4()))
    request = raw_request(
        "POST",
        EVENTS,
        body,
        Connection="Upgrade, HTTP2-Settings",
        Upgrade=offer,
        HTTP2_Settings="AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    )
    cut = len(request) - len(body) if parts == 2 else len(request)
    answer = send_bytes(tidings_up.url, request[:cut], request[cut:])
    assert answer is not None
    assert answer.status == 201, answer


def test_requests_sent_without_waiting_are_answered_in_order(tidings_up: TidingsUp) -> None:
    customer_id = f"customer-of-{uuid4()}"
    requests = b"".join(
        raw_request(
            "POST",
            EVENTS,
            encoded(customer_id=customer_id, type=f"Step {n}"),
            Connection="keep-alive",
        )
        for n in range(20)
    )
    last = raw_request("GET", f"/v1/streams/activity-{customer_id}")
    place = urlsplit(tidings_up.url)
    with socket.create_connection((place.hostname or "", place.port or 0), 30) as connection:
        connection.sendall(requests + last)
        answered = b""
        while chunk := connection.recv(65536):
            answered += chunk
    assert answered.count(b"HTTP/1.1 201 ") == 20
    places = [answered.index(b'"version":%d}' % version) for version in range(1, 21)]
    assert places == sorted(places)
    assert answered.rindex(b"HTTP/1.1 200 ") > places[-1]


def test_who_dawdles_keeps_nobody_waiting(tidings_up: TidingsUp) -> None:
    """Clients that never finish their requests hold nothing that others need."""
    place = urlsplit(tidings_up.url)
    dawdlers = [
        socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(200)
    ]
    try:
        for number, dawdler in enumerate(dawdlers):
            dawdler.sendall((HEAD + b"Content-Length: 9\r\n\r\n{")[: 20 + number])

        def ask(_: int) -> Answer | None:
            return send_bytes(tidings_up.url, raw_request("POST", EVENTS, encoded()))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(50)))
        assert all(answer is not None and answer.status == 201 for answer in answers)
    finally:
        for dawdler in dawdlers:
            dawdler.close()


def test_a_header_that_must_come_once_is_refused_when_it_is_repeated(
    tidings_up: TidingsUp,
) -> None:
    lines = f"Idempotency-Key: {uuid4()}\r\nIdempotency-Key: {uuid4()}\r\n".encode()
    request = raw_request("POST", EVENTS, encoded()).replace(
        b"\r\n\r\n", b"\r\n" + lines + b"\r\n", 1
    )
    answer = send_bytes(tidings_up.url, request)
    assert answer is not None
    assert (answer.status, answer.problem["field"]) == (400, "Idempotency-Key")


def test_a_head_is_answered_like_a_get_without_the_body(tidings_up: TidingsUp) -> None:
    place = urlsplit(tidings_up.url)
    for path in ("/health/live", "/v1/events?limit=1", "/v1/nothing"):
        with socket.create_connection((place.hostname or "", place.port or 0), 30) as connection:
            connection.sendall(raw_request("HEAD", path))
            answered = b""
            while chunk := connection.recv(65536):
                answered += chunk
        assert answered.endswith(b"\r\n\r\n")
        assert answered.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 404 "))
