"""Sealed values: how they look in JSON, and the ports of what seals, opens and shows them.

A sealed value is an object of one reserved key, ``{"$tidings": {"sealed": …, "digest": …}}``. The
digest is keyed with the customer's own key: equal values of one field of one customer have equal
digests, and it is the only thing that rules and SQL may compare.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from app.kernel.errors import TidingsError
from app.kernel.principal import Principal
from app.kernel.reserved import RESERVED_PREFIX

MASK = "•••"
"""Stands for a value that whoever asks may not see."""

C = TypeVar("C", bound=Struct)


class CannotOpen(TidingsError):
    """A sealed value is not what was sealed, or not where it was."""


class Sealed(Struct, frozen=True, forbid_unknown_fields=True, eq=False):
    """A value that only its customer's key opens."""

    sealed: str
    """Nonce and ciphertext, in Base64."""
    digest: str

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same: a value is never sealed twice in the same way."""
        return isinstance(other, Sealed) and self.digest == other.digest

    def __hash__(self) -> int:
        """By the digest."""
        return hash(self.digest)


class SealedValue(Struct, frozen=True, forbid_unknown_fields=True):
    """A sealed value as it stands in JSON."""

    tidings: Sealed = msgspec.field(name=RESERVED_PREFIX)


def digest_of(value: Any) -> str | None:
    """The digest of a sealed value in decoded JSON; None for any other value."""
    inner = value.get(RESERVED_PREFIX) if isinstance(value, dict) and len(value) == 1 else None
    return inner.get("digest") if isinstance(inner, dict) else None


class KeyManagement(Protocol):
    """Wraps data keys under a master key, which has epochs. It might be a service elsewhere."""

    @property
    def epoch(self) -> str:
        """The epoch that new data keys are wrapped under."""
        ...

    def wrap(self, data_key: bytes, bound: bytes) -> bytes:
        """The key wrapped under the epoch, for this binding alone."""
        ...

    def unwrap(self, epoch: str, wrapped: bytes, bound: bytes) -> bytes | None:
        """What `wrap` was given; None when the epoch is not known. Raises `CannotOpen`."""
        ...

    def use(self, epoch: str) -> bool:
        """Wrap under this epoch from now on; False when it is not known."""
        ...


class CommandSealing(Protocol):
    """Seals what commands carry, so that deciders and events never see it."""

    async def command(self, customer_id: str | None, command: C) -> C:
        """The command with its sensitive fields sealed; itself when there are none.

        Raises `Erased` when there are, and the customer was erased.
        """
        ...

    async def prepare(self, commands: Iterable[tuple[str | None, Struct]]) -> None:
        """Fetch together the keys that each of the customers' commands would fetch by itself."""
        ...


View = Callable[[Sequence[tuple[str | None, Raw]]], Awaitable[Sequence[Raw]]]
"""What somebody may see of JSON values, each of a customer: what is sealed is opened, masked or,
where the key is destroyed, null. All keys that one call takes are fetched together.
"""


async def as_stored(values: Sequence[tuple[str | None, Raw]]) -> Sequence[Raw]:
    """The view that opens nothing."""
    return [value for _, value in values]


class Discloses(Protocol):
    """Knows what each principal may see."""

    def to(self, principal: Principal, /) -> View:
        """The view of the principal."""
        ...
