"""How much each credential's owner may ask for: token buckets, some for each owner in each process.

Whose share of a limit a process has is for others to say (`app.security.sharing`).
"""

from math import ceil
from time import monotonic
from typing import Protocol

from app.http.asgi import AnyScope, Scope
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

    __slots__ = ("_at", "_left", "_name", "_size", "asked", "per_s")

    def __init__(self, name: str, per_s: float) -> None:
        """Begin full. The name is what clients are told of it."""
        self._name = name.encode()
        self.fill_at(per_s)
        self._left = self._size
        self._at = monotonic()
        self.asked = 0
        """How much was asked for, whether it was given or not."""

    def fill_at(self, per_s: float) -> None:
        """Fill so fast from now on."""
        self.per_s, self._size = float(per_s), max(per_s, 1.0)

    def take(self, count: int, now: float) -> bool:
        """Take tokens at a time (of `monotonic`); False when there is not a whole one."""
        left = self.left(now)
        self.asked += count
        self._at = now
        self._left = left - count if left >= 1 else left
        return left >= 1

    def owe(self, count: int, now: float) -> None:
        """Take tokens whether there are any or not."""
        self.asked += count
        self._left, self._at = self.left(now) - count, now

    def left(self, now: float) -> float:
        """What is left, below nothing what is owed."""
        left = self._left + (now - self._at) * self.per_s
        return left if left < self._size else self._size

    def is_full(self, now: float) -> bool:
        """Whether it is as if nobody had ever taken anything."""
        return self.left(now) >= self._size

    def wait_s(self, now: float) -> int:
        """In how many whole seconds there will be one again; 1 at the least."""
        return max(ceil((1 - self.left(now)) / self.per_s), 1)

    def told(self, now: float) -> bytes:
        """What is left, as an item of the header ``RateLimit``; when there will be more, if not."""
        left = self.left(now)
        if left >= 1:
            return b'"%b";r=%d' % (self._name, left)
        return b'"%b";r=0;t=%d' % (self._name, self.wait_s(now))


class Allowance:
    """What one owner may ask of this process. A limit of 0 is none."""

    __slots__ = (
        "_buckets",
        "_last_left",
        "_last_lines",
        "_lines",
        "_lines_of_plenty",
        "events",
        "requests",
    )

    def __init__(self, requests_per_s: int, events_per_s: int) -> None:
        """Take the limits; all of them, until this process is told its share."""
        self.requests = Bucket("requests", requests_per_s) if requests_per_s else None
        self.events = Bucket("events", events_per_s) if events_per_s else None
        self._buckets = [bucket for bucket in (self.requests, self.events) if bucket]
        named = [("requests", requests_per_s, ""), ("events", events_per_s, ';qu="events"')]
        policies = [f'"{name}";q={limit};w=1{unit}' for name, limit, unit in named if limit]
        self._lines = f"ratelimit-policy: {', '.join(policies)}\r\nratelimit: %b\r\n".encode()
        plenty = ", ".join([f'"{name}";r=%d' for name, limit, _ in named if limit])
        self._lines_of_plenty = self._lines % plenty.encode()
        self._last_left: tuple[int, ...] = ()
        self._last_lines = b""

    def take_request(self) -> None:
        """Count a request. Raises `RateLimited`."""
        if self.requests is not None and not self.requests.take(1, now := monotonic()):
            raise RateLimited("too many requests a second", self.requests.wait_s(now))

    def take_events(self, count: int) -> None:
        """Count events that are to be recorded. Raises `RateLimited`, and none is counted."""
        if self.events is not None and not self.events.take(count, now := monotonic()):
            raise RateLimited("too many events a second", self.events.wait_s(now))

    def take_together(self, events: int) -> bool:
        """Count a request and its events; False, and neither is, when there is too much of one."""
        now = monotonic()
        if self.requests is not None and self.requests.left(now) < 1:
            return False
        if self.events is not None and not self.events.take(events, now):
            return False
        return self.requests is None or self.requests.take(1, now)

    def owe_events(self, count: int) -> None:
        """Count events that are recorded already: what comes next waits until it is made good."""
        if self.events is not None:
            self.events.owe(count, monotonic())

    def lines(self) -> bytes:
        """The headers that tell clients of it (draft-ietf-httpapi-ratelimit-headers-11)."""
        now = monotonic()
        left = tuple([int(bucket.left(now)) for bucket in self._buckets])
        if min(left, default=1) < 1:
            return self._lines % b", ".join([bucket.told(now) for bucket in self._buckets])
        if left != self._last_left:  # buckets are full most of the time
            self._last_left, self._last_lines = left, self._lines_of_plenty % left
        return self._last_lines


class Limits(Protocol):
    """Knows what each owner may ask for."""

    def allowance_of(self, owner: str, /) -> Allowance | None:
        """The owner's; None where nothing is limited. It must not wait."""
        ...


class Unlimited:
    """Whoever may ask for anything."""

    def allowance_of(self, _owner: str) -> None:
        """Nothing is limited."""


def note_allowance(scope: Scope, allowance: Allowance) -> None:
    """Note what the owner of a request may ask for, for the answer is to tell of it."""
    scope[_ALLOWANCE] = allowance


def take_together(scope: AnyScope, events: int) -> bool:
    """Count a request and its events; False, and neither is, when one of them is too many."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    return allowance is None or allowance.take_together(events)


def take_events(scope: AnyScope, count: int) -> None:
    """Count events that a request is to record. Raises `RateLimited`."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    if allowance is not None:
        allowance.take_events(count)


def owe_events(scope: AnyScope, count: int) -> None:
    """Count events that a request has recorded beyond those that were taken for it."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    if allowance is not None:
        allowance.owe_events(count)


def limit_lines(scope: AnyScope) -> bytes:
    """What the head of the answer to a request says of limits: nothing where none applies."""
    allowance: Allowance | None = scope.get(_ALLOWANCE)
    return allowance.lines() if allowance is not None else b""
