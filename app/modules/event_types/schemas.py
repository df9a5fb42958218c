"""JSON Schemas (draft 2020-12) of events' data: which may be declared, and what fits them.

A schema comes from somebody who is trusted, events come from anybody, and both are looked at by the
process that serves everybody else. So what one event can cost is bounded: references lead to the
schema's own definitions and never round in a circle, what stands for one and the same value is
counted with every reference written out, and regular expressions are matched in linear time.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError
from msgspec import Raw
from msgspec.json import Decoder, encode

from app.kernel.declared import Reason
from app.kernel.errors import InvalidInput

MAX_SCHEMA_BYTES = 32 * 1024
MAX_SUBSCHEMAS = 1_000
"""With what references lead to, each time that they do."""
MAX_DEPTH_LEVELS = 32
MAX_ALTERNATIVES = 50
"""Of them, those that look at a value that another looks at, too (``anyOf``, ``$ref``, …)."""
MAX_PATTERNS = 50
MAX_REASONS = 10
"""Told of one event."""
MAX_REASON_CHARACTERS = 200
MAX_LOOKS_FOR_REASONS = 10_000
"""Values times alternatives; beyond, only the first reason is looked for, for others are dear."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PATTERN_BYTES = 256 * 1024
"""Of a regular expression, compiled; and of the states of it that are remembered."""


class _Holds(Enum):
    """What a keyword that holds subschemas has as its value."""

    ONE = "one"
    LIST = "list"
    MAP = "map"


# Whether each is another look at a value that something looks at already.
_SUBSCHEMAS: Mapping[str, tuple[_Holds, bool]] = {
    "properties": (_Holds.MAP, False),
    "patternProperties": (_Holds.MAP, True),
    "additionalProperties": (_Holds.ONE, False),
    "propertyNames": (_Holds.ONE, False),
    "dependentSchemas": (_Holds.MAP, True),
    "prefixItems": (_Holds.LIST, False),
    "items": (_Holds.ONE, False),
    "contains": (_Holds.ONE, True),
    "allOf": (_Holds.LIST, True),
    "anyOf": (_Holds.LIST, True),
    "oneOf": (_Holds.LIST, True),
    "not": (_Holds.ONE, True),
    "if": (_Holds.ONE, True),
    "then": (_Holds.ONE, True),
    "else": (_Holds.ONE, True),
}
_OTHERS = frozenset(
    {
        *("$schema", "$comment", "$ref", "$defs", "title", "description", "default", "examples"),
        *("deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"),
        *("type", "enum", "const", "pattern", "format", "maxLength", "minLength"),
        *("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
        *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains"),
        *("maxProperties", "minProperties", "required", "dependentRequired"),
    }
)
_TYPES = frozenset(("null", "boolean", "object", "array", "number", "integer", "string"))
_DEFINITIONS = "#/$defs/"

_decoder = Decoder()


class Schema:
    """A compiled schema."""

    def __init__(self, schema: Any) -> None:
        """Compile it. Raises `InvalidInput`, with the path of what is wrong from ``schema`` on."""
        self._alternatives = _Count(schema).alternatives
        try:
            self._validator = Draft202012Validator(
                schema,
                validate_formats=True,
                ignore_unknown_formats=False,
                offline=True,
                mask="the value",
                pattern_options=RegexOptions(
                    size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES
                ),
            )
        except ValidationError as error:
            raise _unfit(error) from None

    def reasons_against(self, data: Raw) -> Sequence[Reason]:
        """Why data, a JSON object, does not fit; none when it does."""
        value = _decoder.decode(data)
        if self._validator.is_valid(value):
            return ()
        raw = bytes(data)
        values = 1 + raw.count(b",") + raw.count(b"{") + raw.count(b"[")
        is_cheap = values * (1 + self._alternatives) <= MAX_LOOKS_FOR_REASONS
        errors = self._validator.iter_errors(value) if is_cheap else self._first(value)
        return tuple(_reason(error) for error in islice(errors, MAX_REASONS))

    def _first(self, value: Any) -> Iterator[ValidationError]:
        try:
            self._validator.validate(value)
        except ValidationError as error:
            yield error


class _Count:
    """Walks through a schema as what looks at data would, and counts."""

    def __init__(self, schema: Any) -> None:
        if len(encode(schema)) > MAX_SCHEMA_BYTES:
            raise InvalidInput(f"a schema has at most {MAX_SCHEMA_BYTES} bytes", field="schema")
        self.alternatives = 0
        self._subschemas = self._patterns = self._depth = 0
        definitions = schema.get("$defs") if isinstance(schema, dict) else None
        self._definitions = definitions if isinstance(definitions, dict) else {}
        for name in self._definitions:  # those that nothing leads to, too
            self._walk_definition(name, ())
        self.alternatives = self._subschemas = self._patterns = 0
        self._walk(schema, "schema", ())

    def _walk(self, schema: Any, path: str, within: Sequence[str]) -> None:
        self._subschemas += 1
        _check(self._subschemas, MAX_SUBSCHEMAS, "subschemas, written out", path)
        if isinstance(schema, bool):
            return
        if not isinstance(schema, dict):
            raise InvalidInput("a schema is an object, true or false", field=path)
        self._depth += 1
        _check(self._depth, MAX_DEPTH_LEVELS, "levels, written out", path)
        for keyword, value in schema.items():
            place = f"{path}.{keyword}"
            if keyword in _SUBSCHEMAS:
                self._walk_subschemas(keyword, value, place, within)
            elif keyword in _OTHERS:
                self._look_at(keyword, value, place, within)
            else:
                raise InvalidInput("there is no such keyword here", field=place)
        self._depth -= 1

    def _walk_subschemas(self, keyword: str, value: Any, path: str, within: Sequence[str]) -> None:
        holds, is_alternative = _SUBSCHEMAS[keyword]
        inner: Mapping[str, Any] = {}
        if holds is _Holds.ONE:
            inner = {path: value}
        elif holds is _Holds.LIST and isinstance(value, list):
            inner = {f"{path}[{number}]": one for number, one in enumerate(value)}
        elif holds is _Holds.MAP and isinstance(value, dict):
            inner = {f"{path}.{name}": one for name, one in value.items()}
        # Else the compiler says that it is no list, or no object.
        self._count_alternatives(len(inner) * is_alternative, path)
        self._count_patterns(len(inner) * (keyword == "patternProperties"), path)
        for place, schema in inner.items():
            self._walk(schema, place, within)

    def _look_at(self, keyword: str, value: Any, path: str, within: Sequence[str]) -> None:
        match keyword:
            case "$schema" if value != _DRAFT:
                raise InvalidInput(f"schemas are of {_DRAFT}", field=path)
            case "$defs" if path != "schema.$defs":
                raise InvalidInput("definitions stand at the schema's root", field=path)
            case "$ref":
                self._follow(value, path, within)
            case "type":
                _check_type(value, path)
            case "format" if value == "regex":
                raise InvalidInput(
                    "what is sent is not compiled as a regular expression", field=path
                )
            case "pattern":
                self._count_patterns(1, path)
            case "enum" if isinstance(value, list):  # scalars are found by one look
                self._count_alternatives(sum(isinstance(one, dict | list) for one in value), path)

    def _follow(self, reference: Any, path: str, within: Sequence[str]) -> None:
        name = str(reference).removeprefix(_DEFINITIONS)
        if name == reference or name not in self._definitions:
            raise InvalidInput(
                f"references lead to definitions of the schema: {_DEFINITIONS}…", field=path
            )
        if name in within:
            raise InvalidInput("references lead round in a circle", field=path)
        self._count_alternatives(1, path)
        self._walk_definition(name, within)

    def _walk_definition(self, name: str, within: Sequence[str]) -> None:
        self._walk(self._definitions[name], f"schema.$defs.{name}", (*within, name))

    def _count_alternatives(self, number: int, path: str) -> None:
        self.alternatives += number
        _check(self.alternatives, MAX_ALTERNATIVES, "alternatives and references", path)

    def _count_patterns(self, number: int, path: str) -> None:
        self._patterns += number
        _check(self._patterns, MAX_PATTERNS, "regular expressions", path)


def _check(number: int, at_most: int, what: str, path: str) -> None:
    if number > at_most:
        raise InvalidInput(f"a schema has at most {at_most} {what}", field=path)


def _check_type(value: Any, path: str) -> None:
    names = value if isinstance(value, list) else [value]
    if not names or any(not isinstance(name, str) or name not in _TYPES for name in names):
        raise InvalidInput(f"a type is one of {', '.join(sorted(_TYPES))}", field=path)


def _unfit(error: ValidationError) -> InvalidInput:
    """What the compiler found wrong."""
    detail = error.message
    if '"regex"' in detail:
        detail = (
            "it is no regular expression, or one that needs look-around or back-references, or is"
            " too large"
        )
    return InvalidInput(detail[:MAX_REASON_CHARACTERS], field=_path("schema", error))


def _reason(error: ValidationError) -> Reason:
    return Reason(_path("data", error), error.message[:MAX_REASON_CHARACTERS])


def _path(root: str, error: ValidationError) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return (root + "".join(parts))[:MAX_REASON_CHARACTERS]
