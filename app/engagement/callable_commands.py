"""The commands of modules that rules may call."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from app.engagement.expressions import Result
from app.kernel.decider import Decider

GIVEN = frozenset({"at", "customer_id"})
"""Fields that the engine fills in: the time of the decision, and whom it is about."""

_RESULTS: tuple[tuple[type[inspect.Type], Result], ...] = (
    (inspect.BoolType, Result.BOOL),
    (inspect.IntType, Result.INT),
    (inspect.FloatType, Result.NUMBER),
    (inspect.StrType, Result.STRING),
    (inspect.EnumType, Result.STRING),
)


class CallableCommand(Struct, frozen=True):
    """A command, by the decider that takes it."""

    decider: Decider[Any, Any]
    command: type[Struct]
    fixed: Mapping[str, Any] = {}
    """Fields that are the same for every rule."""

    @property
    def results(self) -> Mapping[str, Result]:
        """The fields that a rule gives, and what their expressions have to come to."""
        return {
            field.name: _result_of(inspect.type_info(field.type))
            for field in msgspec.structs.fields(self.command)
            if field.name not in GIVEN and field.name not in self.fixed
        }

    @property
    def required(self) -> frozenset[str]:
        """Those of them that have to be given."""
        fields = msgspec.structs.fields(self.command)
        return frozenset(
            field.name
            for field in fields
            if field.default is NODEFAULT and field.default_factory is NODEFAULT
        ) & frozenset(self.results)


Commands = Mapping[str, CallableCommand]
"""By their names in the API: ``questions/open``."""
NO_COMMANDS: Commands = {}


def _result_of(info: inspect.Type) -> Result:
    while isinstance(info, inspect.Metadata):
        info = info.type
    return next((result for kind, result in _RESULTS if isinstance(info, kind)), Result.VALUE)
