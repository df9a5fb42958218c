"""Execute a command: load and fold its streams, decide, append, and try again after a lost race."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Struct

from app.eventstore.port import AppendedEvent
from app.kernel.decider import Decider
from app.kernel.event import Metadata

C = TypeVar("C")


@dataclass(frozen=True)
class Step(Generic[C]):
    """One command for one stream; several steps are recorded all or nothing."""

    decider: Decider[C, Any]
    thing_id: str
    command: C
    customer_id: str | None
    """Whose timeline the step's events stand on."""


class IdempotencyKey(Struct, frozen=True):
    """What makes a repeat recognisable: whose key it is, and of which request."""

    source: str
    key: str
    fingerprint: str


class Executed(Struct, frozen=True):
    """The answer to a command; stream, version and position are those of its first step."""

    stream: str
    version: int
    position: int
    events: tuple[AppendedEvent, ...]
    repeated: bool = False


class Executor:
    """Runs commands against an event store."""

    async def execute(
        self,
        *steps: Step[Any],
        metadata: Metadata,
        key: IdempotencyKey | None = None,
        expected_version: int | None = None,
    ) -> Executed:
        """Record what the steps' deciders decide.

        `expected_version` is what the caller believes of the first step's stream. Raises `Refused`,
        `WrongExpectedVersion`, `IdempotencyConflict`, `UnstorableValue`, `Contention` or
        `StoreUnavailable`. A repeat under the same key answers with the original outcome, whatever
        the deciders would say today.
        """
        raise NotImplementedError
