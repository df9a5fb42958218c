"""Requests that no client means, byte for byte, by name; each is to be refused."""

import base64
import json

from tests.fixtures.access import KEY
from tests.fixtures.api import raw_request

EVENT = b'{"type":"Seen","customer_id":"hostile","data":{}}'
EVENTS = "/v1/events"
COMMAND = "/v1/customers/hostile/register"

Requests = dict[str, bytes]


def _cursor(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def head(*lines: str | bytes, body: bytes = b"") -> bytes:
    """A head of these lines, the first the request line, and a body."""
    raw = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return b"\r\n".join([*raw, b"", body])


def framed(*lines: str | bytes, body: bytes = EVENT) -> bytes:
    """A request to record an event, whose framing these lines tell."""
    return head(
        f"POST {EVENTS} HTTP/1.1",
        "Host: tidings",
        f"Authorization: Bearer {KEY}",
        "Content-Type: application/json",
        *lines,
        body=body,
    )


_LISTS = {
    "customers": "/v1/customers?",
    "customers by trait": "/v1/customers?trait=name&",
    "timeline": "/v1/customers/hostile/timeline?",
    "visits": "/v1/customers/hostile/visits?",
    "inbox": "/v1/customers/hostile/inbox?",
    "offers": "/v1/customers/hostile/offers?",
    "activity counts": "/v1/activity-counts?",
}
_PLACES = [
    b"[]",
    b"null",
    b'"x"',
    b'["2026-11-22T09:30:00Z",1]',
    b'["2026-11-22T09:30:00Z"]',
    b'["2026-11-22","Seen","activity"]',
    b'["a","b"]',
    b'["\' OR 1=1 --","x"]',
    b'["\\u0000","a"]',
    b"[1e999]",
    b"[" * 500,
]
_SIGNATURES = {"unsigned": b"", "signed with nothing": bytes(12), "signed with guesses": b"k" * 12}

CURSORS: Requests = {
    f"{name}, {how}, place {number}": raw_request(
        "GET", f"{target}cursor={_cursor(signature + place)}"
    )
    for name, target in _LISTS.items()
    for how, signature in _SIGNATURES.items()
    for number, place in enumerate(_PLACES)
}

_INJECTED = [
    "'%20OR%20'1'='1",
    "1;DROP%20TABLE%20events",
    "1%20UNION%20SELECT%20secret",
    "%27%3B%20SELECT%20pg_sleep(10)--",
    "$$;COPY%20events%20TO%20PROGRAM%20'id'",
    "0x10",
    "1)",
    "-1",
    "NaN",
    "9" * 400,
]
INJECTIONS: Requests = {
    f"{parameter} {value[:24]}": raw_request("GET", f"{path}{parameter}={value}")
    for path, parameter in (
        ("/v1/events?", "after"),
        ("/v1/events?", "limit"),
        ("/v1/streams/activity-hostile?", "cursor"),
        ("/v1/customers?", "min_position"),
        ("/v1/customers/hostile/timeline?", "from"),
        ("/v1/customers/hostile?", "as_of"),
        ("/v1/activity-counts?", "to"),
    )
    for value in _INJECTED
    if not (parameter == "cursor" and value == "")
}

_BASIC = base64.b64encode(KEY.encode()).decode()
AUTHORIZATIONS: Requests = {
    f"Authorization {number}: {value[:30]!r}": raw_request(
        "GET", "/v1/customers", Authorization=value
    )
    for number, value in enumerate(
        (
            "",
            " ",
            "Bearer",
            "Bearer ",
            KEY,
            f"Token {KEY}",
            f"Bearer{KEY}",
            f"Bearer {KEY[:-1]}",
            f"Bearer {KEY}x",
            f"Bearer {KEY} {KEY}",
            f"Bearer {KEY},{KEY}",
            f"Bearer {KEY.upper()}",
            f"Bearer {KEY.replace('live', 'test')}",
            f"Bearer {KEY[:12]}{'0' * 50}",
            "Bearer ' OR 1=1 --",
            "Bearer \xff\xfe",
            "Bearer " + "x" * 20_000,
            "Bearer null",
            "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
            f"Basic {_BASIC[:-3]}",
            "Basic",
            "Basic !!!!",
            "Basic Og==",
            "Basic " + base64.b64encode(b"admin:admin").decode(),
            "Basic " + base64.b64encode(f":{KEY}".encode()).decode(),
            "Basic " + base64.b64encode(b"\x00" + KEY.encode()).decode(),
            "Digest username=admin",
            "Negotiate YII=",
        )
    )
} | {"no Authorization": head("GET /v1/customers HTTP/1.1", "Host: tidings", "Connection: close")}

_TWICE = f"Authorization: Bearer {KEY}"
SMUGGLING: Requests = {
    "a length and chunks": framed(
        "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "chunks and a length": framed(
        "Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"
    ),
    "two lengths": framed("Content-Length: 49", "Content-Length: 5"),
    "two equal lengths": framed("Content-Length: 49", "Content-Length: 49"),
    "a list of lengths": framed("Content-Length: 49, 49"),
    "a negative length": framed("Content-Length: -1"),
    "a length with a sign": framed("Content-Length: +49"),
    "a hexadecimal length": framed("Content-Length: 0x31"),
    "a length in words": framed("Content-Length: many"),
    "a length beyond all numbers": framed("Content-Length: " + "9" * 40),
    "a length of 2 GiB": framed(f"Content-Length: {2**31}"),
    "a space before the colon": framed("Content-Length : 49"),
    "a folded header": framed("Content-Length: 49", "X-Folded: a\r\n b"),
    "chunks that are not": framed("Transfer-Encoding: chunked", body=b"zz\r\n\r\n"),
    "a chunk of a negative size": framed("Transfer-Encoding: chunked", body=b"-1\r\nx\r\n"),
    "a chunk beyond all sizes": framed("Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\nx"),
    "a chunk that goes on": framed("Transfer-Encoding: chunked", body=b"1\r\n{}\r\n0\r\n\r\n"),
    "two hosts": head("GET /v1/events HTTP/1.1", "Host: a", "Host: b", _TWICE),
    "two equal hosts": head("GET /v1/events HTTP/1.1", "Host: a", "Host: a", _TWICE),
    "no host": head("GET /v1/events HTTP/1.1", _TWICE),
    "a host with a path": head("GET /v1/events HTTP/1.1", "Host: a/b", _TWICE),
    "a host with a user": head("GET /v1/events HTTP/1.1", "Host: a@b", _TWICE),
    "a host with a space": head("GET /v1/events HTTP/1.1", "Host: a b", _TWICE),
    "a host with quotes": head("GET /docs HTTP/1.1", "Host: \"><script>", _TWICE),
    "two credentials": head("GET /v1/events HTTP/1.1", "Host: a", _TWICE, _TWICE),
    "two media types": framed("Content-Type: text/plain", "Content-Length: 49"),
    "two keys": framed("Idempotency-Key: a", "Idempotency-Key: b", "Content-Length: 49"),
}  # fmt: skip

HEADS: Requests = {
    "HTTP/3.7": head("GET /v1/events HTTP/3.7", "Host: a"),
    "no version": head("GET /v1/events", "Host: a"),
    "another protocol": head("GET /v1/events RTSP/1.0", "Host: a"),
    "HTTP/2 right away": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "only NUL": bytes(200) + b"\r\n\r\n",
    "a method of its own": head("STEAL /v1/events HTTP/1.1", "Host: a"),
    "a method in lower case": head("get /v1/events HTTP/1.1", "Host: a"),
    "CONNECT": head("CONNECT tidings:443 HTTP/1.1", "Host: a", "Connection: close"),
    "NUL in a header": head("GET /v1/events HTTP/1.1", "Host: a", "X-A: a\0b"),
    "NUL in a name": head("GET /v1/events HTTP/1.1", "Host: a", "X\0A: b"),
    "NUL in the path": head(b"GET /v1/\0events HTTP/1.1", "Host: a"),
    "a carriage return in a header": head("GET /v1/events HTTP/1.1", "Host: a", "X-A: a\rb"),
    "a space in the path": head("GET /v1/cust omers HTTP/1.1", "Host: a"),
    "a raw byte in the path": head(b"GET /v1/\xff HTTP/1.1", "Host: a", "Connection: close"),
    "a header without a name": head("GET /v1/events HTTP/1.1", "Host: a", ": b"),
    "a header without a colon": head("GET /v1/events HTTP/1.1", "Host: a", "nothing"),
    "a path of 70,000": head("GET /" + "x" * 70_000 + " HTTP/1.1", "Host: a"),
    "a header of 70,000": head("GET /v1/events HTTP/1.1", "Host: a", "X-A: " + "x" * 70_000),
    "10,000 headers": head("GET /v1/events HTTP/1.1", "Host: a", *["X-A: bcdef"] * 10_000),
    "an injected header": raw_request("GET", "/v1/events%0d%0aX-Injected:%201"),
    "an injected header in a query": raw_request("GET", "/v1/customers?id_prefix=a%0d%0ab"),
    "an injected request id": raw_request(
        "POST", EVENTS, EVENT, X_Correlation_Id="a\tSet-Cookie:b"
    ),
}  # fmt: skip

_DEEP = 100_000
BODIES: Requests = {
    f"{name} to {target}": raw_request("POST", target, body)
    for target in (EVENTS, COMMAND, "/v1/keys", "/v1/customers/hostile/link-identity")
    for name, body in {
        "lists without end": b"[" * _DEEP,
        "objects without end": b'{"a":' * _DEEP,
        "depth 1,000 closed": b'{"traits":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        "UTF-16": json.dumps({"traits": {}}).encode("utf-16"),
        "UTF-32": json.dumps({"traits": {}}).encode("utf-32"),
        "UTF-7": b"{+ACI-traits+ACI-:{}}",
        "a gzip": b"\x1f\x8b\x08\x00" + bytes(20),
        "a raw NUL": b'{"traits":{"a":"\0"}}',
        "an overlong encoding": b'{"traits":{"\xc0\xaf":1}}',
        "SQL": b"'; DROP TABLE events; --",
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00",
        "5 MiB": b'{"traits":{"a":"' + b"x" * (5 * 1024 * 1024) + b'"}}',
    }.items()
}  # fmt: skip

CORPUS: dict[str, Requests] = {
    "cursor": CURSORS,
    "injection": INJECTIONS,
    "authorization": AUTHORIZATIONS,
    "smuggling": SMUGGLING,
    "head": HEADS,
    "body": BODIES,
}
