"""How much each credential's owner may ask for: token buckets, some for each owner in each process.

Whose share of a limit a process has is for others to say (`app.security.sharing`).
"""

from math import ceil
from time import monotonic
from typing import Protocol

from app.http.asgi import AnyScope, Headers, Scope
from app.kernel.errors import TidingsError

_ALLOWANCE = "tidings.allowance"


class RateLimited(TidingsError):
    """The credential's owner asks for more in a second than it may."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        """Say what there is too much of, and when to try again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Bucket:
    """Fills at `per_s` tokens a second, and holds what one second brings.

    Whoever finds one may take more than there are, and those who come after wait until that is
    made good. So a batch larger than the bucket gets through, and the rate is kept all the same.
    """

    __slots__ = ("_at", "_left", "asked", "per_s")

    def __init__(self, per_s: float) -> None:
        """Begin full."""
        self.per_s = float(per_s)
        self._left = max(self.per_s, 1)
        self._at = monotonic()
        self.asked = 0
        """How much was asked for, whether it was given or not."""

    def take(self, count: int, now: float) -> bool:
        """Take tokens at a time (of `monotonic`); False when there is not a whole one."""
        self.asked += count
        left = self.left(now)
        self._at = now
        self._left = left - count if left >= 1 else left
        return left >= 1

    def left(self, now: float) -> float:
        """What is left, below nothing what is owed."""
        return min(self._left + (now - self._at) * self.per_s, max(self.per_s, 1))

    def wait_s(self, now: float) -> int:
        """In how many whole seconds there will be one again; 1 at the least."""
        return max(ceil((1 - self.left(now)) / self.per_s), 1)


class Allowance:
    """What one owner may ask of this process. A limit of 0 is none."""

    __slots__ = ("_policy", "events", "requests")

    def __init__(self, requests_per_s: int, events_per_s: int) -> None:
        """Take the limits; all of them, until this process is told its share."""
        self.requests = Bucket(requests_per_s) if requests_per_s else None
        self.events = Bucket(events_per_s) if events_per_s else None
        named = [("requests", requests_per_s, ""), ("events", events_per_s, ';qu="events"')]
        policies = [f'"{name}";q={limit};w=1{unit}' for name, limit, unit in named if limit]
        self._policy = (b"ratelimit-policy", ", ".join(policies).encode())

    def take_request(self) -> None:
        """Count a request. Raises `RateLimited`."""
        if self.requests is not None:
            _take(self.requests, 1, "requests")

    def take_events(self, count: int) -> None:
        """Count events that are to be recorded. Raises `RateLimited`, and none is counted."""
        if self.events is not None:
            _take(self.events, count, "events")

    def headers(self) -> Headers:
        """What tells clients of it (draft-ietf-httpapi-ratelimit-headers-11)."""
        now = monotonic()
        left = [
            b'"%b";r=%d;t=%d' % (name, max(bucket.left(now), 0), bucket.wait_s(now))
            for name, bucket in ((b"requests", self.requests), (b"events", self.events))
            if bucket is not None
        ]
        return [self._policy, (b"ratelimit", b", ".join(left))]


def _take(bucket: Bucket, count: int, what: str) -> None:
    now = monotonic()
    if not bucket.take(count, now):
        raise RateLimited(f"too many {what} a second", bucket.wait_s(now))


class Limits(Protocol):
    """Knows what each owner may ask for."""

    def allowance_of(self, owner: str, /) -> Allowance | None:
        """The owner's; None where nothing is limited. It must not wait."""
        ...


class Unlimited:
    """Whoever may ask for anything."""

    def allowance_of(self, _owner: str) -> None:
        """Nothing is limited."""


def take_request(scope: Scope, allowance: Allowance) -> None:
    """Count a request of the owner's, and note whose answer is to tell of the limits."""
    scope[_ALLOWANCE] = allowance
    allowance.take_request()


def take_events(scope: AnyScope, count: int) -> None:
    """Count events that a request is to record. Raises `RateLimited`."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    if allowance is not None:
        allowance.take_events(count)


def limit_headers(scope: AnyScope) -> Headers:
    """What the answer to a request says of limits: nothing where none applies."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    return allowance.headers() if allowance is not None else []
