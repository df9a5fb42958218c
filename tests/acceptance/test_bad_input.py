"""Bad input is refused with the reason, and nothing of it is recorded."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.hostile import (
    GOOD,
    IDS,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    NO_EVENT,
    NO_JSON,
    encoded,
    holding,
    sized,
)
from tests.fixtures.api import Answer, raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp

EVENTS = "/v1/events"
GOOD_EVENT = holding(b"{}")

Send = Callable[..., Answer]


@pytest.fixture
def send(tidings_up: TidingsUp) -> Send:
    """Send a request as it is; there must be an answer."""

    def send_raw(method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        answer = send_bytes(tidings_up.url, raw_request(method, target, body, **headers))
        assert answer is not None, "the connection was closed"
        return answer

    return send_raw


@contextmanager
def recording(send: Send, events: int) -> Iterator[None]:
    """The log grows by exactly so many events in the block: positions are dense."""
    before = send("POST", EVENTS, GOOD_EVENT).json()["position"]
    yield
    assert send("POST", EVENTS, GOOD_EVENT).json()["position"] == before + 1 + events


def check_refusal(answer: Answer, field: str | None = None) -> None:
    assert 400 <= answer.status < 500, answer
    problem = answer.problem
    if field is not None:
        assert problem.get("field", "") == field


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_is_refused_whole(send: Send, name: str) -> None:
    with recording(send, events=0):
        check_refusal(send("POST", EVENTS, NO_JSON[name]), "")
        batch = b"[%s,%s,%s]" % (GOOD_EVENT, NO_JSON[name], GOOD_EVENT)
        check_refusal(send("POST", EVENTS, batch), "")


@pytest.mark.parametrize("name", NO_EVENT)
def test_what_is_no_event_is_refused_and_hurts_no_other_in_its_batch(send: Send, name: str) -> None:
    body, field = NO_EVENT[name]
    with recording(send, events=2):
        check_refusal(send("POST", EVENTS, body), field)
        answer = send("POST", EVENTS, b"[%s,%s,%s]" % (GOOD_EVENT, body, GOOD_EVENT))
        assert answer.status == 200
        first, refused, last = answer.json()
        assert (first["outcome"], last["outcome"]) == ("recorded", "recorded")
        assert refused["outcome"] == "rejected"
        assert 400 <= refused["problem"]["status"] < 500
        assert refused["problem"]["field"] == f"[1].{field}".removesuffix(".")


@pytest.mark.parametrize("name", GOOD)
def test_what_looks_dangerous_and_is_fine_is_recorded_as_sent(send: Send, name: str) -> None:
    body = GOOD[name]
    with recording(send, events=2):
        alone = send("POST", EVENTS, body)
        assert alone.status == 201, alone
        [outcome] = send("POST", EVENTS, b"[%s]" % body).json()
        assert outcome["outcome"] == "recorded"
    sent = json.loads(body, parse_int=float)
    customer_id = sent.get("customer_id") or f"~{sent['anonymous_id']}"
    for position in (alone.json()["position"], outcome["position"]):
        page = send("GET", f"{EVENTS}?after={position - 1}&limit=1")
        [recorded] = json.loads(page.body, parse_int=float)["items"]
        assert recorded["data"] == sent["data"]
        assert recorded["type"] == sent["type"]
        assert recorded["customer_id"] == customer_id
    where = f"min_position={outcome['position']}"
    timeline = send("GET", f"/v1/customers/{quote(customer_id)}/timeline?limit=1&{where}")
    assert len(timeline.json()["items"]) == 1


def test_an_event_of_64_kib_is_recorded_and_a_byte_more_is_refused(send: Send) -> None:
    with recording(send, events=3):
        assert send("POST", EVENTS, sized(MAX_EVENT_BYTES)).status == 201
        answer = send("POST", EVENTS, sized(MAX_EVENT_BYTES + 1))
        assert (answer.status, answer.code) == (413, "input-too-large")
        sizes = (MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1, MAX_EVENT_BYTES)
        batch = send("POST", EVENTS, b"[%s]" % b",".join(map(sized, sizes)))
        outcomes = [outcome["outcome"] for outcome in batch.json()]
        assert outcomes == ["recorded", "rejected", "recorded"]
        assert batch.json()[1]["problem"]["status"] == 413


def test_a_batch_of_4_mib_is_recorded_and_a_byte_more_is_refused(send: Send) -> None:
    events = [sized(MAX_EVENT_BYTES) for _ in range(63)]
    rest = MAX_BATCH_BYTES - len(b"[%s,]" % b",".join(events))
    whole = b"[%s,%s]" % (b",".join(events), sized(rest))
    assert len(whole) == MAX_BATCH_BYTES
    with recording(send, events=64):
        answer = send("POST", EVENTS, whole)
        assert answer.status == 200
        assert {outcome["outcome"] for outcome in answer.json()} == {"recorded"}
    with recording(send, events=0):
        for chunked in (False, True):
            answer = send_whole(send, whole + b" ", chunked=chunked)
            assert (answer.status, answer.code) == (413, "input-too-large")


def send_whole(send: Send, body: bytes, *, chunked: bool) -> Answer:
    if not chunked:
        return send("POST", EVENTS, body)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return send("POST", EVENTS, chunks, Content_Length=None, Transfer_Encoding="chunked")


def test_a_batch_of_1000_events_is_recorded_and_one_more_is_refused(send: Send) -> None:
    with recording(send, events=MAX_BATCH_EVENTS):
        answer = send("POST", EVENTS, b"[%s]" % b",".join([GOOD_EVENT] * MAX_BATCH_EVENTS))
        assert {outcome["outcome"] for outcome in answer.json()} == {"recorded"}
    with recording(send, events=0):
        more = b"[%s]" % b",".join([GOOD_EVENT] * (MAX_BATCH_EVENTS + 1))
        answer = send("POST", EVENTS, more)
        assert (answer.status, answer.code) == (413, "input-too-large")


COMMANDS: dict[str, tuple[str, bytes, str | None]] = {
    "no traits": ("change-traits", b"{}", "traits"),
    "a list of traits": ("change-traits", b'{"traits":[]}', "traits"),
    "no object": ("change-traits", b"[]", ""),
    "no JSON": ("change-traits", b"{", ""),
    "a field that is not known": ("change-traits", b'{"traits":{},"name":1}', "name"),
    "a trait without a name": ("change-traits", b'{"traits":{"":1}}', "traits"),
    "a trait's name of 101 characters": (
        "change-traits", b'{"traits":{"%s":1}}' % (b"x" * 101), "traits",
    ),
    "a trait's name of two lines": ("register", rb'{"traits":{"a\nb":1}}', "traits"),
    "a reserved trait": ("register", b'{"traits":{"$tidings":1}}', "traits.$tidings"),
    "a reserved name in a trait": (
        "register", rb'{"traits":{"a":[{"\u0024tidings.b":1}]}}', "traits.a[0].$tidings.b",
    ),
    "NUL in a trait": ("register", rb'{"traits":{"a":"\u0000"}}', "traits.a"),
    "half a surrogate pair": ("register", rb'{"traits":{"a":"\ud800"}}', "traits.a"),
    "a huge number": ("register", b'{"traits":{"a":1e999}}', "traits.a"),
    "depth 65": ("register", b'{"traits":' + b'{"a":' * 64 + b"1" + b"}" * 65, ""),
    "201 traits": (
        "register", json.dumps({"traits": {f"t{n}": n for n in range(201)}}).encode(), None,
    ),
    "no topic": ("record-consent", b'{"channel":"email"}', "topic"),
    "a channel of two words": ("record-consent", b'{"channel":"a b","topic":"a"}', "channel"),
    "a topic with a line feed": ("withdraw-consent", rb'{"channel":"a","topic":"a\n"}', "topic"),
    "a topic of 65 characters": (
        "record-consent", b'{"channel":"a","topic":"%s"}' % (b"x" * 65), "topic",
    ),
    "no kind of identity": ("link-identity", b'{"kind":"fax","value":"1"}', "kind"),
    "no value": ("link-identity", b'{"kind":"email"}', "value"),
    "no address": ("link-identity", b'{"kind":"email","value":"anna"}', "value"),
    "no phone number": ("link-identity", b'{"kind":"phone","value":"0800"}', "value"),
    "an empty external id": ("link-identity", b'{"kind":"external","value":""}', "value"),
    "a visitor with a slash": ("unlink-identity", b'{"kind":"anonymous","value":"a/b"}', "value"),
    "64 KiB": ("register", b'{"traits":{"a":"%s"}}' % (b"x" * 64 * 1024), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_command_is_refused_and_records_nothing(send: Send, name: str) -> None:
    command, body, field = COMMANDS[name]
    with recording(send, events=0):
        check_refusal(send("POST", f"/v1/customers/hostile/{command}", body), field)


@pytest.mark.parametrize("customer_id", [*IDS[1:], "\ud800"])
def test_a_path_with_an_id_that_nobody_can_have_is_refused(send: Send, customer_id: str) -> None:
    encoded_id = quote(customer_id, safe="", errors="surrogatepass")
    with recording(send, events=0):
        for path in ("", "/timeline", "/timeline/live"):
            check_refusal(send("GET", f"/v1/customers/{encoded_id}{path}"))
        for command in ("register", "link-identity", "unlink-identity"):
            body = b'{"kind":"email","value":"a@b.example"}' if "link" in command else b"{}"
            check_refusal(send("POST", f"/v1/customers/{encoded_id}/{command}", body))


TARGETS: dict[str, str | None] = {
    "/v1/nothing": "",
    "/v1": "",
    "/v1/customers/": "",
    "//v1/customers": "",
    "/v1/customers//timeline": "",
    "/v1/customers/ann/": "",
    "/v1/customers/ann/../bob": "",
    "/v1/customers/%ff": "",
    "/v1/customers/%c0%af": "",
    "/v1/customers/%00": "",
    "/v1/customers/" + "x" * 9_000: "",
    "/v1/customers/%": "customer_id",
    "/v1/customers/%zz": "customer_id",
    "/v1/customers?id_prefix=%ff": "",
    "/v1/customers?id_prefix=%00": "",
    "/v1/customers?id_prefix=" + "x" * 201: "id_prefix",
    "/v1/customers?limit=0": "limit",
    "/v1/customers?limit=201": "limit",
    "/v1/customers?limit=-1": "limit",
    "/v1/customers?limit=ten": "limit",
    "/v1/customers?limit=": "limit",
    "/v1/customers?limit=1.5": "limit",
    "/v1/customers?limit=%D9%A1": "limit",
    "/v1/customers?limit=" + "9" * 5_000: "limit",
    "/v1/customers?limit=1&limit=2": "limit",
    "/v1/customers?limt=1": "limt",
    "/v1/customers?cursor=x": "cursor",
    "/v1/customers?cursor=": "cursor",
    "/v1/customers?cursor=%F0%9F%98%80": "cursor",
    "/v1/customers?cursor=WyJcdTAwMDAiLCJhIl0": "cursor",  # ["\u0000","a"]
    "/v1/customers?trait=a&cursor=WyJhIiwiXHUwMDAwIl0": "cursor",  # ["a","\u0000"]
    "/v1/customers?cursor=" + "A" * 7_000: "cursor",
    "/v1/customers?min_position=-1": "min_position",
    f"/v1/customers?min_position={2**63}": "min_position",
    f"/v1/customers?min_position={2**63 - 1}": "min_position",
    "/v1/customers?identity=anna": "identity",
    "/v1/customers?identity=email:anna": "identity",
    "/v1/customers?identity=anonymous:a%5Cb": "identity",
    "/v1/customers?trait=a&id_prefix=b": "trait",
    "/v1/customers?starts_with=a": "starts_with",
    "/v1/customers?trait=" + "x" * 101: "trait",
    "/v1/customers?trait=a&starts_with=" + "x" * 101: "starts_with",
    "/v1/events?after=-1": "after",
    f"/v1/events?after={2**63}": "after",
    "/v1/events?after=x": "after",
    "/v1/events?limit=1001": "limit",
    "/v1/events?cursor=1": "cursor",
    "/v1/streams/activity-hostile?cursor=x": "cursor",
    "/v1/streams/activity-hostile?cursor=-1": "cursor",
    f"/v1/streams/activity-hostile?cursor={2**31}": "cursor",
    "/v1/streams/activity-hostile?cursor=" + "0" * 5_000: "cursor",
    "/v1/streams/%00": "",
    "/v1/streams/a%2Fb": "",
    "/v1/customers/a/timeline?from=yesterday": "from",
    "/v1/customers/a/timeline?from=2026-01-01T00:00:00": "from",
    "/v1/customers/a/timeline?from=0001-01-01T00:00:00%2B14:00": "from",
    "/v1/customers/a/timeline?to=9999-12-31T23:59:59-14:00": "to",
    "/v1/customers/a/timeline?type=" + "x" * 201: "type",
    "/v1/customers/a/timeline?kind=" + "x" * 201: "kind",
    "/v1/customers/a/visits?cursor=W10": "cursor",  # []
    "/v1/activity-counts?from=2026-02-30": "from",
    "/v1/activity-counts?to=tomorrow": "to",
    "/v1/customers/a/timeline?cursor=bnVsbA": "cursor",  # null
    "/v1/customers/a/timeline?cursor=WzEsMl0": "cursor",  # [1,2]
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:60])
def test_a_bad_url_is_refused(send: Send, target: str) -> None:
    check_refusal(send("GET", target), TARGETS[target])


HEADERS: dict[str, tuple[str, dict[str, str], int, str]] = {
    "no media type": ("POST", {"Content_Type": ""}, 415, ""),
    "another media type": ("POST", {"Content_Type": "text/plain"}, 415, ""),
    "a form": ("POST", {"Content_Type": "application/x-www-form-urlencoded"}, 415, ""),
    "a compressed body": ("POST", {"Content_Encoding": "gzip"}, 415, ""),
    "an empty key": ("POST", {"Idempotency_Key": ""}, 400, "Idempotency-Key"),
    "a key of 201 characters": ("POST", {"Idempotency_Key": "k" * 201}, 400, "Idempotency-Key"),
    "a key that is not UTF-8": ("POST", {"Idempotency_Key": "\xff"}, 400, "Idempotency-Key"),
    "a key with a tab": ("POST", {"Idempotency_Key": "a\tb"}, 400, "Idempotency-Key"),
    "a correlation id of 201": ("POST", {"X_Correlation_Id": "x" * 201}, 400, "X-Correlation-Id"),
    "an empty causation id": ("POST", {"X_Causation_Id": ""}, 400, "X-Causation-Id"),
    "a correlation id in Latin-1": ("POST", {"X_Correlation_Id": "\xe9"}, 400, "X-Correlation-Id"),
    "If-Match without quotes": ("command", {"If_Match": "7"}, 400, "If-Match"),
    "a weak If-Match": ("command", {"If_Match": 'W/"1"'}, 400, "If-Match"),
    "If-Match with two tags": ("command", {"If_Match": '"1", "2"'}, 400, "If-Match"),
    "If-Match with a word": ("command", {"If_Match": '"a"'}, 400, "If-Match"),
    "an empty If-Match": ("command", {"If_Match": ""}, 400, "If-Match"),
    "a huge If-Match": ("command", {"If_Match": f'"{10**30}"'}, 400, "If-Match"),
    "an If-Match beyond any stream": ("command", {"If_Match": f'"{10**17}"'}, 412, ""),
    "a Last-Event-ID that is no number": ("live", {"Last_Event_ID": "x"}, 400, "Last-Event-ID"),
    "a negative Last-Event-ID": ("live", {"Last_Event_ID": "-1"}, 400, "Last-Event-ID"),
    "an empty Last-Event-ID": ("live", {"Last_Event_ID": ""}, 400, "Last-Event-ID"),
    "a huge Last-Event-ID": ("live", {"Last_Event_ID": str(2**63)}, 400, "Last-Event-ID"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header_is_refused(send: Send, name: str) -> None:
    kind, headers, status, field = HEADERS[name]
    requests: dict[str, list[tuple[Any, ...]]] = {
        "POST": [("POST", EVENTS, GOOD_EVENT), ("POST", "/v1/customers/hostile/register", b"{}")],
        "command": [("POST", "/v1/customers/hostile/register", b"{}")],
        "live": [("GET", "/v1/customers/hostile/timeline/live")],
    }
    with recording(send, events=0):
        for request in requests[kind]:
            answer = send(*request, **headers)
            assert answer.status == status
            check_refusal(answer, field)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_a_method_that_a_path_does_not_know_is_answered_with_those_that_it_knows(
    send: Send, method: str
) -> None:
    with recording(send, events=0):
        answer = send(method, EVENTS, GOOD_EVENT)
        assert (answer.status, answer.code) == (405, "method-not-allowed")
        assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
        assert send(method, "/v1/customers/hostile/register", b"{}").status == 405
        assert send(method, "/v1/customers/hostile").headers["allow"].startswith("GET")


def test_an_empty_body_is_refused(send: Send) -> None:
    check_refusal(send("POST", EVENTS, b""), "")
    check_refusal(send("POST", EVENTS, b" \n"), "")
    check_refusal(send("POST", "/v1/customers/hostile/register", b""), "")


def test_other_ways_of_saying_json_are_understood(send: Send) -> None:
    for media_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"):
        assert send("POST", EVENTS, encoded(), Content_Type=media_type).status == 201
