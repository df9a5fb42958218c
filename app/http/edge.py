"""Where the server ends: the hosts it goes by, the pages that may call it, what answers carry."""

import re
from collections.abc import Sequence

from app.http.asgi import Headers, Receive, Scope, Send
from app.http.context import RequestContext
from app.http.limits import limit_lines
from app.kernel.errors import InvalidInput

MAX_KNOWN_HOSTS = 1_000
PREFLIGHT_MAX_AGE_S = 600

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
"""Of every answer; `app.http.protocol` adds them, also where nothing else is reached."""

# A name, an IPv4 or an IPv6 address in brackets; perhaps a port (RFC 9110, section 7.2).
_HOST = re.compile(rb"([A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")

# What would mean one thing to a proxy before us and another to us, if it came twice.
_ONCE = frozenset(
    {b"host", b"authorization", b"content-length", b"content-type", b"content-encoding"}
    | {b"transfer-encoding", b"idempotency-key", b"if-match", b"last-event-id", b"origin"}
)

_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, idempotency-key, if-match, last-event-id, "
        b"x-causation-id, x-correlation-id, x-request-id",
    ),
    (b"access-control-max-age", b"%d" % PREFLIGHT_MAX_AGE_S),
]
_MAY_READ = (
    b"access-control-allow-origin: %b\r\naccess-control-expose-headers: "
    b"etag, ratelimit, ratelimit-policy, retry-after, x-request-id\r\n"
)


class Edge:
    """What is known of hosts and origins; made once."""

    def __init__(
        self, *, hosts: Sequence[str] = (), origins: Sequence[str] = (), hsts_max_age_s: int = 0
    ) -> None:
        """Take the hosts' names, without ports (none: any), and exact origins (none: no page).

        With `hsts_max_age_s`, browsers are told to come by TLS only (RFC 6797).
        """
        self._allowed = frozenset(host.lower().encode() for host in hosts)
        self._origins = frozenset(origin.lower().encode() for origin in origins)
        self._known_hosts: set[bytes] = set()
        hsts = b"strict-transport-security: max-age=%d; includeSubDomains\r\n" % hsts_max_age_s
        self._always = hsts if hsts_max_age_s else b""
        if self._origins:
            self._always += b"vary: origin\r\n"

    def check(self, scope: Scope, context: RequestContext) -> None:
        """Refuse, with `InvalidInput`, a request for another host, or one that can be read in two
        ways (RFC 9112, section 3.2; RFC 9110, section 5.3).
        """
        if len(context.headers) < len(scope["headers"]):
            _check_once(scope["headers"])
        host = context.headers.get(b"host")
        if host not in self._known_hosts:
            self._check_host(scope, host)

    def _check_host(self, scope: Scope, host: bytes | None) -> None:
        if host is None:
            if self._allowed or scope.get("http_version") == "1.1":
                raise InvalidInput("a request names its host", field="Host")
            return
        found = _HOST.fullmatch(host)
        is_probe = scope["path"].startswith("/health/")  # which comes to the machine by its address
        if found is None or (
            self._allowed and found[1].lower() not in self._allowed and not is_probe
        ):
            raise InvalidInput("this server does not go by that name", field="Host")
        if not is_probe and len(self._known_hosts) < MAX_KNOWN_HOSTS:
            self._known_hosts.add(host)

    def lines_for(self, scope: Scope, context: RequestContext) -> bytes:
        """What the head of the answer to a request has besides its own: the request's id too, and
        what is left of limits.
        """
        lines = b"x-request-id: %b\r\n%b" % (context.request_id.encode(), self._always)
        if self._origins and (origin := context.headers.get(b"origin")) in self._origins:
            lines += _MAY_READ % origin
        return lines + limit_lines(scope)

    def is_preflight(self, scope: Scope, context: RequestContext) -> bool:
        """Whether a browser asks, without a credential, what pages may ask (Fetch, 3.2)."""
        return (
            scope["method"] == "OPTIONS"
            and b"access-control-request-method" in context.headers
            and context.headers.get(b"origin") in self._origins
        )


async def answer_preflight(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An ASGI application: all that the API offers may be asked; the origin is there already."""
    await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _check_once(headers: Headers) -> None:
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in _ONCE and name in seen:
            raise InvalidInput("this header comes once", field=name.decode().title())
        seen.add(name)
