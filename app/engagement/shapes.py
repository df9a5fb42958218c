"""Shapes: which fields the data of an event type has, so that expressions can be checked."""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import msgspec
from msgspec import Struct, inspect

from app.kernel.event import Event, EventCatalogue
from app.kernel.sensitive import Names, SensitiveFields, marked_fields

MAX_DEPTH = 4
"""Objects within objects are known field by field down to here; what is deeper is of any kind."""
MAX_FIELDS = 1_000

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Kind(Enum):
    """What a value is, as far as expressions tell."""

    BOOL = "bool"
    INT = "int"
    NUMBER = "number"
    """A float, even where JSON writes it like an int."""
    STRING = "string"
    TIME = "time"
    """In JSON, a string as of RFC 3339."""
    LIST = "list"
    MAP = "map"
    ANY = "any"
    SENSITIVE = "sensitive"
    """Whatever it is, it may only be compared for equality."""


class Field(Struct, frozen=True, omit_defaults=True):
    """A field, and whether it may be missing or null."""

    kind: Kind
    is_nullable: bool = False


Shape = Mapping[str, Field]
"""The fields by their paths: ``amount``, ``customer.tier``."""
Shapes = Mapping[str, Shape]
"""By event types: those fields that a rule names, as they were when it was saved."""

_NO_NAMES = Names(())

_OF_JSON = {
    "boolean": Kind.BOOL,
    "integer": Kind.INT,
    "number": Kind.NUMBER,
    "string": Kind.STRING,
    "array": Kind.LIST,
    "object": Kind.MAP,
}
_OF_PYTHON: tuple[tuple[type[inspect.Type] | tuple[type[inspect.Type], ...], Kind], ...] = (
    (inspect.BoolType, Kind.BOOL),
    (inspect.IntType, Kind.INT),
    (inspect.FloatType, Kind.NUMBER),
    ((inspect.StrType, inspect.UUIDType, inspect.DateType, inspect.DecimalType), Kind.STRING),
    (inspect.DateTimeType, Kind.TIME),
    ((inspect.CollectionType, inspect.TupleType), Kind.LIST),
    ((inspect.DictType, inspect.StructType), Kind.MAP),
)


class EventShapes:
    """What is known of event types: of built-in ones by their structs, of others as declared."""

    def __init__(
        self,
        catalogue: EventCatalogue,
        sensitive: SensitiveFields,
        schema_of: Callable[[str], Any] = lambda _event_type: None,
    ) -> None:
        """`schema_of` tells the JSON Schema that a type declares; None where there is none."""
        self._catalogue = catalogue
        self._sensitive = sensitive
        self._schema_of = schema_of

    def of(self, event_type: str) -> Shape | None:
        """The shape of a type's data; None: nothing is declared, and any field may be there."""
        built_in = self._catalogue.types.get(event_type)
        if built_in is not None:
            return shape_of_event(built_in)
        return shape_of_schema(self._schema_of(event_type), self._sensitive.of(event_type))

    def sensitive_names(self, event_type: str) -> Names:
        """The names of fields, at any depth, that are sensitive in a type's data."""
        built_in = self._catalogue.types.get(event_type)
        if built_in is None:
            return self._sensitive.of(event_type)
        by_name = any(not is_whole for _name, is_whole in marked_fields(built_in))
        return self._sensitive.everywhere if by_name else _NO_NAMES

    @property
    def sensitive_traits(self) -> Names:
        """The names of traits that are sensitive."""
        return self._sensitive.everywhere

    def is_built_in(self, event_type: str) -> bool:
        """Whether no sender may use this type."""
        return self._catalogue.is_reserved(event_type)

    def is_unknown(self, event_type: str) -> bool:
        """Whether there can be no such event: it looks like a built-in one, and is none."""
        return self.is_built_in(event_type) and event_type not in self._catalogue.types


def shape_of_schema(schema: Any, sensitive: Names) -> Shape | None:
    """The shape that a JSON Schema declares; None when it names no fields."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return None
    shape: dict[str, Field] = {}
    _add_properties(shape, "", schema, sensitive, is_nullable=False)
    return dict(list(shape.items())[:MAX_FIELDS])


def _add_properties(
    shape: dict[str, Field],
    prefix: str,
    schema: Mapping[str, Any],
    sensitive: Names,
    *,
    is_nullable: bool,
) -> None:
    required = schema.get("required")
    for name, declared in schema["properties"].items():
        if not _IDENTIFIER.match(name):
            continue
        kind, may_be_null = _kind_in(declared)
        may_miss = is_nullable or may_be_null or name not in (required or ())
        if name in sensitive:
            shape[prefix + name] = Field(Kind.SENSITIVE, may_miss)
        elif _is_object(declared, kind) and prefix.count(".") < MAX_DEPTH - 1:
            _add_properties(shape, f"{prefix}{name}.", declared, sensitive, is_nullable=may_miss)
        else:
            shape[prefix + name] = Field(kind, may_miss)


def _is_object(declared: Any, kind: Kind) -> bool:
    return kind is Kind.MAP and bool(declared.get("properties"))


def _kind_in(declared: Any) -> tuple[Kind, bool]:
    """The kind that a property's schema says, and whether null is let through."""
    if not isinstance(declared, Mapping):
        return Kind.ANY, True
    named = declared.get("type")
    types = [named] if isinstance(named, str) else list(named or ())
    kinds = {_OF_JSON.get(one, Kind.ANY) for one in types if one != "null"}
    if kinds == {Kind.INT, Kind.NUMBER}:
        kinds = {Kind.NUMBER}
    values = declared.get("enum", [declared["const"]] if "const" in declared else ())
    if not types and values and all(isinstance(one, str) for one in values):
        kinds = {Kind.STRING}
    return (kinds.pop() if len(kinds) == 1 else Kind.ANY), "null" in types


def shape_of_event(event: type[Event]) -> Shape:
    """The shape of a built-in event type's data."""
    shape: dict[str, Field] = {}
    for field in msgspec.structs.fields(event):
        _add_field(shape, field.encode_name, inspect.type_info(field.type))
    return shape


def _add_field(
    shape: dict[str, Field], path: str, info: inspect.Type, *, is_nullable: bool = False
) -> None:
    while isinstance(info, inspect.Metadata):
        if (info.extra or {}).get("sensitive") == "whole":
            shape[path] = Field(Kind.SENSITIVE, is_nullable)
            return
        info = info.type
    if isinstance(info, inspect.UnionType):
        others = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        may_be_null = is_nullable or len(others) < len(info.types)
        one = others[0] if len(others) == 1 else inspect.AnyType()
        _add_field(shape, path, one, is_nullable=may_be_null)
    elif isinstance(info, inspect.StructType) and path.count(".") < MAX_DEPTH - 1:
        for field in info.fields:
            name = f"{path}.{field.encode_name}"
            _add_field(shape, name, field.type, is_nullable=is_nullable)
    else:
        shape[path] = Field(_kind_of(info), is_nullable)


def _kind_of(info: inspect.Type) -> Kind:
    if isinstance(info, inspect.EnumType):
        return Kind.STRING if all(isinstance(one.value, str) for one in info.cls) else Kind.ANY
    if isinstance(info, inspect.LiteralType):
        return Kind.STRING if all(isinstance(one, str) for one in info.values) else Kind.ANY
    return next((kind for types, kind in _OF_PYTHON if isinstance(info, types)), Kind.ANY)
