"""Whatever is sent, it is refused with a problem, nothing breaks, and nothing is recorded."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.hostile_requests import CORPUS, EVENT, EVENTS, Requests, framed, head
from tests.fixtures.api import Answer, raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp

HOSTILE_REQUESTS = 300
"""So many at the least, beside the bodies of `hostile.py`."""


def answer_to(running: TidingsUp, *parts: bytes) -> Answer:
    answer = send_bytes(running.url, *parts)
    assert answer is not None, "the connection was closed without a word"
    return answer


def position_of(running: TidingsUp) -> int:
    position: int = answer_to(running, raw_request("POST", EVENTS, EVENT)).json()["position"]
    return position


def check_headers(answer: Answer) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-injected" not in answer.headers


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, CORPUS.values())) >= HOSTILE_REQUESTS


@pytest.mark.parametrize("kind", CORPUS)
def test_a_hostile_request_is_refused_and_records_nothing(tidings_up: TidingsUp, kind: str) -> None:
    requests: Requests = CORPUS[kind]
    children, before = tidings_up.children(), position_of(tidings_up)
    wrong = {}
    for name, request in requests.items():
        answer = send_bytes(tidings_up.url, request)
        if answer is None or not 400 <= answer.status < 500:
            wrong[name] = answer
        else:
            assert answer.problem, name
            check_headers(answer)
    assert not wrong
    assert position_of(tidings_up) == before + 1
    assert tidings_up.children() == children


def test_every_answer_carries_the_security_headers_once(tidings_up: TidingsUp) -> None:
    for target in ("/v1/customers", "/docs", "/nothing", "/openapi.json", "/health/live", "/"):
        check_headers(answer_to(tidings_up, raw_request("GET", target)))
    check_headers(answer_to(tidings_up, raw_request("POST", EVENTS, EVENT)))


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(
    tidings_up: TidingsUp,
) -> None:
    request = framed(f"Content-Length: {2**40}", "Expect: 100-continue", body=b"")
    assert answer_to(tidings_up, request).status == 413


def test_what_never_comes_to_its_end_is_given_up_with_a_word(tidings_up: TidingsUp) -> None:
    """In the body, which gets 30 s, and in the head, which gets 10: both at once."""
    request = framed(f"Content-Length: {len(EVENT)}")

    def answer_to_a_part(end: int) -> Answer | None:
        return send_bytes(tidings_up.url, request[:end], timeout_seconds=120)

    with ThreadPoolExecutor() as both:
        for answer in both.map(answer_to_a_part, (-1, 40)):
            assert answer is not None
            assert (answer.status, answer.code) == (408, "request-timeout")
            check_headers(answer)


def test_too_many_requests_that_wait_on_one_connection_end_it(tidings_up: TidingsUp) -> None:
    request = head("GET /health/live HTTP/1.1", "Host: tidings")
    send_bytes(tidings_up.url, request * 10_000, ends=True)
    assert tidings_up.answers("/health/ready")
