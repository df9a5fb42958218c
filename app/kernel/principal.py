"""Who asks, and what that one may do."""

from typing import Literal, get_args

from msgspec import Struct

ScopeName = Literal[
    "events:write",
    "events:read",
    "customers:read",
    "customers:write",
    "timeline:read",
    "pii:read",
    "projections:admin",
    "keys:admin",
    "catalogue:admin",
    "erasure:write",
    "export:read",
    "audit:read",
    "messages:read",
    "messages:write",
    "offers:read",
    "offers:write",
    "templates:read",
    "templates:write",
    "carts:read",
    "carts:write",
    "orders:read",
    "orders:write",
    "payments:read",
    "payments:write",
    "inventory:read",
    "inventory:write",
    "accounts:read",
    "accounts:write",
    "support:read",
    "support:write",
    "rides:read",
    "rides:write",
    "playback:read",
    "playback:write",
    "timers:read",
    "rules:read",
    "rules:write",
]
"""What a credential may be given leave to do."""

SCOPES: tuple[ScopeName, ...] = get_args(ScopeName)
EVERYTHING = "*"
"""Stands for all scopes, those of later versions too."""


class Principal(Struct, frozen=True):
    """Whoever a request's credential belongs to."""

    owner: str
    """The stable name of the credential's owner: whose idempotency keys and event ids they are."""
    actor: str
    """Which credential it was, such as ``key:3kTMd1Aq``; stands in the metadata of events."""
    scopes: frozenset[str]
    customer_id: str | None = None
    """The one customer that it may speak for; None: it is a service's."""

    def may(self, scope: ScopeName) -> bool:
        """Whether it has been given a scope."""
        return scope in self.scopes or EVERYTHING in self.scopes
