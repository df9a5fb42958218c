"""What the fields of a command that rules may call have to come to."""

from collections.abc import Mapping

import msgspec
from msgspec import NODEFAULT, inspect

from app.engagement.commands import CallableCommand
from app.engagement.expressions import Result

Commands = Mapping[str, CallableCommand]
"""By their names: ``questions/open``."""
NO_COMMANDS: Commands = {}

_RESULTS: tuple[tuple[type[inspect.Type], Result], ...] = (
    (inspect.BoolType, Result.BOOL),
    (inspect.IntType, Result.INT),
    (inspect.FloatType, Result.NUMBER),
    (inspect.StrType, Result.STRING),
    (inspect.EnumType, Result.STRING),
)


def results_of(command: CallableCommand) -> Mapping[str, Result]:
    """The fields that a rule gives, and what their expressions have to come to."""
    return {
        field.name: _result_of(inspect.type_info(field.type))
        for field in msgspec.structs.fields(command.fields)
    }


def required_of(command: CallableCommand) -> frozenset[str]:
    """Those that have to be given."""
    return frozenset(
        field.name
        for field in msgspec.structs.fields(command.fields)
        if field.default is NODEFAULT and field.default_factory is NODEFAULT
    )


def _result_of(info: inspect.Type) -> Result:
    while isinstance(info, inspect.Metadata):
        info = info.type
    return next((result for kind, result in _RESULTS if isinstance(info, kind)), Result.VALUE)
