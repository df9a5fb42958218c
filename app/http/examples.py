"""Whole examples for the documentation, put together from those of the fields."""

from typing import Any

Schema = dict[str, Any]
Document = dict[str, Any]

_BY_FORMAT = {
    "date-time": "2026-11-22T09:30:00Z",
    "date": "2026-11-22",
    "uuid": "0199c5a4-5f0e-7c1d-9f83-0f6a3c1f2b7e",
}
_BY_TYPE: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "string": "text"}
_ENDLESS = object()
"""In place of an example of a type that stands within itself."""


def example_of(schema: Schema, document: Document) -> Any:
    """An example that fits the schema: its own, else one made from those of its parts."""
    return _example(schema, document, frozenset())


def resolve(part: Schema, document: Document) -> Schema:
    """What a part of the document is: itself, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolve(found, document)


def _example(schema: Schema, document: Document, within: frozenset[str]) -> Any:
    """`within` holds the references that are being followed."""
    if "$ref" in schema:
        if schema["$ref"] in within:
            return _ENDLESS
        return _example(resolve(schema, document), document, within | {schema["$ref"]})
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    if given or "const" in schema:
        return given[0] if given else schema["const"]
    if "oneOf" in schema:
        return _example_of_choice(schema["oneOf"], document, within)
    return _example_of_type(schema, document, within)


def _example_of_choice(choices: list[Schema], document: Document, within: frozenset[str]) -> Any:
    """The first choice; null where that is one and the first says nothing of its own."""
    first = next(choice for choice in choices if choice.get("type") != "null")
    is_nullable = any(choice.get("type") == "null" for choice in choices)
    if is_nullable and not ("$ref" in first or "examples" in first):
        return None
    example = _example(first, document, within)
    return None if is_nullable and example is _ENDLESS else example


def _example_of_type(schema: Schema, document: Document, within: frozenset[str]) -> Any:
    match schema.get("type", ""):
        case "object":
            parts = _told(schema)
            found = {name: _example(part, document, within) for name, part in parts.items()}
            return {name: example for name, example in found.items() if example is not _ENDLESS}
        case "array":
            item = _example(schema["items"], document, within) if "items" in schema else _ENDLESS
            return [] if item is _ENDLESS else [item]
        case simple:
            return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(simple))


def _told(schema: Schema) -> dict[str, Schema]:
    """The parts that an example shows: those that it needs, and those that have an example."""
    required = schema.get("required", ())
    parts = schema.get("properties", {}).items()
    return {name: part for name, part in parts if name in required or "examples" in part}
