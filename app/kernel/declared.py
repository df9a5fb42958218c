"""What is declared of the types of events that services send, as a port."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

from msgspec import Meta, Raw, Struct


class Reason(Struct, frozen=True):
    """Why an event does not fit the schema of its type; it says nothing of the values sent."""

    field: Annotated[str, Meta(examples=["data.amount"])]
    """Its path from the event's root."""
    detail: Annotated[str, Meta(examples=['the value is not of type "number"'])]


class DeclaredTypes(Protocol):
    """Knows the declared types from memory: asking costs no look into the store."""

    def reasons_against(self, event_type: str, data: Raw) -> Sequence[Reason]:
        """Why an event's data does not fit; none when it does, or when no schema is declared."""
        ...

    def title_template(self, event_type: str) -> str | None:
        """The wording of the type's entries on timelines; None: nothing is declared."""
        ...

    def kinds(self) -> Mapping[str, str]:
        """What entries are about, by type, for the types that say so."""
        ...

    def sensitive_fields(self, event_type: str) -> frozenset[str]:
        """The names of the fields of a type's data, at any depth, that are declared sensitive."""
        ...


class NothingDeclared:
    """No type is declared."""

    def reasons_against(self, event_type: str, data: Raw) -> Sequence[Reason]:  # noqa: ARG002 - the port's
        """None: everything fits."""
        return ()

    def title_template(self, event_type: str) -> str | None:  # noqa: ARG002 - the port's
        """None."""
        return None

    def kinds(self) -> Mapping[str, str]:
        """None."""
        return {}

    def sensitive_fields(self, event_type: str) -> frozenset[str]:  # noqa: ARG002 - the port's
        """None."""
        return frozenset()


NOTHING_DECLARED = NothingDeclared()
