"""Whole examples for the documentation, put together from those of the fields."""

from typing import Any

MAX_DEPTH_LEVELS = 8

_BY_FORMAT = {
    "date-time": "2026-11-22T09:30:00Z",
    "date": "2026-11-22",
    "uuid": "0199c5a4-5f0e-7c1d-9f83-0f6a3c1f2b7e",
}
_BY_TYPE: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def example_of(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """An example that fits the schema: its own, else one made from those of its parts."""
    schema = resolve(schema, document)
    if depth > MAX_DEPTH_LEVELS:
        return None
    for given in (*schema.get("examples", ()), *schema.get("enum", ())):
        return given
    for choice in schema.get("oneOf", ()):
        if choice.get("type") != "null":
            return example_of(choice, document, depth + 1)
    return schema["const"] if "const" in schema else _by_type(schema, document, depth)


def _by_type(schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {
                name: example_of(part, document, depth + 1) for name, part in properties.items()
            }
        case "array":
            items = schema.get("items")
            return [example_of(items, document, depth + 1)] if items else []
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), "text")
        case kind:
            return _BY_TYPE.get(str(kind), {})


def resolve(part: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What a part of the document is: itself, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolve(found, document)
