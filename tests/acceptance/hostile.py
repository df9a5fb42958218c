"""Bodies that no sender means, by name, with the field that is at fault ("": none can be named)."""

import json
from typing import Any

MAX_EVENT_BYTES = 64 * 1024
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_EVENTS = 1_000
MAX_DEPTH_LEVELS = 64


def event(customer_id: str = "hostile", **fields: Any) -> dict[str, Any]:
    """A good event, but for the fields given; a field that is None is left out."""
    whole = {"type": "Seen", "customer_id": customer_id, "data": {}} | fields
    return {name: value for name, value in whole.items() if value is not None}


def encoded(**fields: Any) -> bytes:
    """The same as JSON; ASCII is not insisted on, and half a surrogate pair stands as it is."""
    return json.dumps(event(**fields), ensure_ascii=False).encode("utf-8", "surrogatepass")


def holding(data: bytes) -> bytes:
    """A good event with these bytes as its data."""
    return b'{"type":"Seen","customer_id":"hostile","data":%s}' % data


def nested(levels: int) -> bytes:
    """A good event that is so many levels deep, itself the first."""
    inner = levels - 2
    return holding(b'{"a":' + b"[" * inner + b"]" * inner + b"}")


def sized(size_bytes: int) -> bytes:
    """A good event of so many bytes."""
    empty = holding(b'{"a":""}')
    return holding(b'{"a":"%s"}' % (b"x" * (size_bytes - len(empty))))


# What no JSON reader could make sense of, so that it spoils a whole batch.
NO_JSON: dict[str, bytes] = {
    "nothing but a brace": b"{",
    "cut in a string": b'{"type":"Se',
    "cut before the end": holding(b"{}")[:-1],
    "a trailing comma": holding(b'{"a":1,}'),
    "a comment": holding(b"{/**/}"),
    "single quotes": holding(b"{'a':1}"),
    "no quotes": holding(b"{a:1}"),
    "NaN": holding(b'{"a":NaN}'),
    "Infinity": holding(b'{"a":-Infinity}'),
    "a number with a leading zero": holding(b'{"a":01}'),
    "a number with a sign": holding(b'{"a":+1}'),
    "a number without digits before the point": holding(b'{"a":.5}'),
    "a hexadecimal number": holding(b'{"a":0x10}'),
    "a raw control character in a string": holding(b'{"a":"\x01"}'),
    "an unknown escape": holding(b'{"a":"\\x41"}'),
    "a word": b"good",
    "a byte order mark": b"\xef\xbb\xbf" + holding(b"{}"),
    "NUL as it is": holding(b'{"a":"\0"}'),
    "depth 20,000": nested(20_000),
    "depth 100,000 unclosed": b"[" * 100_000,
    "objects 100,000 deep": b'{"a":' * 100_000,
}

# What is well formed as far as a batch can be taken apart, but no event.
NO_EVENT: dict[str, tuple[bytes, str]] = {
    "a number": (b"7", ""),
    "a string": (b'"Seen"', ""),
    "null": (b"null", ""),
    "true": (b"true", ""),
    "no type": (encoded(type=None), "type"),
    "no data": (encoded(data=None), "data"),
    "a number as type": (encoded(type=1), "type"),
    "null as type": (holding(b"{}").replace(b'"Seen"', b"null"), "type"),
    "an empty type": (encoded(type=""), "type"),
    "a type of 201 characters": (encoded(type="x" * 201), "type"),
    "a type of two lines": (encoded(type="a\nb"), "type"),
    "a reserved type": (encoded(type="customer.registered"), "type"),
    "a type of Tidings itself": (encoded(type="tidings.started"), "type"),
    "a type that may come to be built in": (encoded(type="identity.anything"), "type"),
    "a reserved type in escapes": (
        encoded(type="CUSTOMER").replace(b"CUSTOMER", rb"\u0063ustomer\u002eregistered"),
        "type",
    ),
    "a reserved type behind a good one": (
        b'{"type":"Seen","type":"customer.registered","customer_id":"hostile","data":{}}',
        "type",
    ),
    "null as data": (holding(b"null"), "data"),
    "a list as data": (holding(b"[]"), "data"),
    "JSON in a string as data": (holding(b'"{}"'), "data"),
    "a field that is not known": (encoded(amount=7), "amount"),
    "a field of ours": (encoded(position=1), "position"),
    "both ids": (encoded(anonymous_id="a"), "anonymous_id"),
    "no customer": (encoded(customer_id=None), "customer_id"),
    "a number as id": (encoded(id=7), "id"),
    "an empty id": (encoded(id=""), "id"),
    "an id of 201 characters": (encoded(id="x" * 201), "id"),
    "an id of two lines": (encoded(id="a\nb"), "id"),
    "no date": (encoded(occurred_at="yesterday"), "occurred_at"),
    "a number as date": (encoded(occurred_at=1_700_000_000), "occurred_at"),
    "a date without a time": (encoded(occurred_at="2026-01-01"), "occurred_at"),
    "a date without an offset": (encoded(occurred_at="2026-01-01T00:00:00"), "occurred_at"),
    "the 30th of February": (encoded(occurred_at="2026-02-30T00:00:00Z"), "occurred_at"),
    "hour 24": (encoded(occurred_at="2026-01-01T24:00:00Z"), "occurred_at"),
    "a leap second": (encoded(occurred_at="2016-12-31T23:59:60Z"), "occurred_at"),
    "an offset of 25 hours": (encoded(occurred_at="2026-01-01T00:00:00+25:00"), "occurred_at"),
    "before the year 1": (encoded(occurred_at="0001-01-01T00:00:00+14:00"), "occurred_at"),
    "after the year 9999": (encoded(occurred_at="9999-12-31T23:59:59-14:00"), "occurred_at"),
    "the far future": (encoded(occurred_at="9999-12-31T23:59:59Z"), "occurred_at"),
    "a key of ours": (holding(b'{"$tidings":1}'), "data"),
    "a key of ours, deeper": (holding(b'{"a":[{"$tidings.x":1}]}'), "data"),
    "a key of ours in escapes": (holding(rb'{"\u0024tid\u0069ngs":1}'), "data"),
    "NUL in an escape": (holding(rb'{"a":[{"b":"x\u0000"}]}'), "data.a[0].b"),
    "NUL in a key": (holding(rb'{"a":{"\u0000":1}}'), "data.a"),
    "NUL in a type": (encoded(type="\0"), "type"),
    "half a surrogate pair": (holding(rb'{"a":"\ud800"}'), "data.a"),
    "the other half": (holding(rb'{"a":"\udc00\ud800"}'), "data.a"),
    "an exponent of 400": (holding(b'{"a":{"b":1e400}}'), "data.a.b"),
    "an exponent of -20,000": (holding(b'{"a":[1,1e-20000]}'), "data.a[1]"),
    "400 digits": (holding(b'{"a":%s}' % (b"9" * 400)), "data.a"),
    "400 digits behind the point": (holding(b'{"a":0.%s}' % (b"1" * 400)), "data.a"),
    "a product too large": (holding(b'{"a":%se300}' % (b"1" * 300)), "data.a"),
    "a byte that is not UTF-8": (holding(b'{"a":"\xff"}'), ""),
    "an overlong encoding": (holding(b'{"a":"\xc0\xaf"}'), ""),
    "an encoded surrogate": (holding(b'{"a":"\xed\xa0\x80"}'), ""),
    "a character cut in two": (holding(b'{"a":"\xe2\x82"}'), ""),
    "depth 65": (nested(MAX_DEPTH_LEVELS + 1), ""),
}

IDS = (
    "", "a/b", "a\\b", "a?b", "a#b", "a%b", "a%2Fb", ".", "..", "a\x00b", "a\x01b", "a\x7fb",
    "a\nb", "a\u200bb", "a\u2028b", "\ufeffa", "x" * 201,
)  # fmt: skip
"""What neither a customer nor a visitor can be called."""

for hostile_id in IDS:
    shown = ascii(hostile_id[:20])
    NO_EVENT[f"customer {shown}"] = (encoded(customer_id=hostile_id), "customer_id")
    NO_EVENT[f"visitor {shown}"] = (
        encoded(customer_id=None, anonymous_id=hostile_id),
        "anonymous_id",
    )
NO_EVENT["a visitor's id as a customer's"] = (encoded(customer_id="~a"), "customer_id")
NO_EVENT["a visitor of 200 characters"] = (
    encoded(customer_id=None, anonymous_id="x" * 200),
    "anonymous_id",
)

# What looks dangerous and is fine.
GOOD: dict[str, bytes] = {
    "depth 64": nested(MAX_DEPTH_LEVELS),
    "brackets in strings": holding(b'{"a":"%s"}' % (b"[" * 1000)),
    "a backslash before u0000": holding(rb'{"a":"\\u0000"}'),
    "a surrogate pair": holding(rb'{"a":"\ud83d\ude00"}'),
    "a value that is called like a key of ours": holding(b'{"a":"$tidings"}'),
    "a key twice": holding(b'{"a":1,"a":2}'),
    "30 digits": holding(b'{"a":123456789012345678901234567890.5}'),
    "the largest exponents": holding(b'{"a":[1e308,-1e308,1e-308]}'),
    "quotes and a semicolon": holding(rb"""{"a":"'; DROP TABLE events; -- $$ \" \\' %s %(a)s"}"""),
    "a type with quotes": encoded(type='it\'s "%s"'),
    "an id with quotes": encoded(customer_id="o'h\"ara%".removesuffix("%")),
    "an id of three dots": encoded(customer_id="..."),
    "an id of 200 characters": encoded(customer_id="ü" * 200),
    "a visitor of 199 characters": encoded(customer_id=None, anonymous_id="😀" * 199),
    "the year 1": encoded(occurred_at="0001-01-01T00:00:00Z"),
    "a type that only looks built in": encoded(type="Customer.registered"),
    "an empty key": holding(b'{"":{"":null}}'),
    "64 KiB": sized(MAX_EVENT_BYTES),
}
